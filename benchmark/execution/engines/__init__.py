"""Engines, which run fits: one a file, found by its name; its `opener` gives the executors."""
