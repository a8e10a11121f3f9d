"""CSI, and what CSI-GAN shares with it."""
