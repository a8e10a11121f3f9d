"""Verdicts on any table: published means beside measured runs of any field, from two CSV files."""
