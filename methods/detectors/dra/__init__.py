"""DRA, and its baseline without disentanglement."""
