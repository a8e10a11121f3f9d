"""The raw release of a dataset: finding its files, and building a folder of images and rows from them."""
