"""Trackers for swanbench, one a file; each needs the package that it is named after."""
