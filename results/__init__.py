"""Runs and their results: specs, keys, records, scores, metrics, and the store that holds them."""
