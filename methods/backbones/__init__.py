"""Architectures of trunks, and finding, checking and loading their weights."""
