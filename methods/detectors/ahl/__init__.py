"""AHL: heads on the stored maps of a frozen base, trained over tasks with unlike support and query sets."""
