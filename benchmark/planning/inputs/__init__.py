"""Inputs of planned runs: datasets, weights files and splits, each looked up once, and external pools."""
