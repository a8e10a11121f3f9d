"""Maintenance of stored records: verify, compare, merge, prune, remove."""
