"""Upkeep of a machine: inventory, diagnosis, clean-up."""
