"""Shared parts of the neural detectors: trunks, heads, losses, image batches and the one training loop."""
