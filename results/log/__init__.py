"""Reproduction log: accepted bundles of runs that people made, one zip file each."""
