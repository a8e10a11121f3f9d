"""Detectors, one file or folder each, named by a recipe's `detector`."""
