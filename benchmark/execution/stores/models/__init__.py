"""Models that `bench run --keep-models` keeps: their files, scores of new images, heat maps."""
