"""Splits: four lists of image ids, and leakage between their sides. No pixel is needed here."""
