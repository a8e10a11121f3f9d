"""Data that fits share: decoded images, and feature maps of frozen networks."""
