"""Numbers that a fit may take beside its scores."""
