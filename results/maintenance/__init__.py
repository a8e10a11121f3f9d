"""Work on records that are there: verified, compared, merged, pruned, removed."""
