"""Values of parameters and options: what TOML and JSON both have."""

ParamValue = str | int | float | bool | None
LARGEST_SEED = 2**63 - 1
"""The largest seed that a record holds."""
