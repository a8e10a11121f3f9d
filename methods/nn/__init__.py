"""What neural detectors share: trunks, heads, losses, image batches and the one training loop."""
