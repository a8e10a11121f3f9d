"""What a run is, what it left, and where that is kept: specs, keys, records, the store."""
