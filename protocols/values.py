"""Values of parameters and options: what TOML and JSON both have."""

ParamValue = str | int | float | bool | None
