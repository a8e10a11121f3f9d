"""Datasets, manifests, deterministic splits and the image store."""
