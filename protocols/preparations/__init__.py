"""Putting the images of one dataset or family into its folder: one `prepare` a file, named by the facts."""
