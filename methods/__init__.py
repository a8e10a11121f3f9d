"""Detectors, their recipes and what neural detectors share."""
