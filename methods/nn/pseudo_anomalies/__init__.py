"""Pseudo anomalies: made from normal images, or taken from an external pool."""
