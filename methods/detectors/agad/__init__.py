"""AGAD: networks, losses and the training step."""
