"""Suites, plans, the engine that executes them, and the command line."""

__version__ = "0.1.0"
