"""The data folder: datasets prepared and verified there, and splits exported from it for other code."""
