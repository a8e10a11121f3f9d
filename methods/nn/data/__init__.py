"""Batches of training images: samplers, epochs, the loader, operations on 8-bit images."""
