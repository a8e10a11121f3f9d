"""CSI-GAN: networks, losses and Algorithm 1."""
