"""Splits: four lists of image ids, and what is on both sides of one. No pixel is needed here."""
