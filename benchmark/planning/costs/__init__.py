"""Costs of fits on this kind of machine: what finished ones took, and what those of a plan will take."""
