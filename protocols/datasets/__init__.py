"""Facts of datasets, and the manifest of a prepared one."""
