class DataError(Exception):
    """A dataset, split or image cannot be used as asked; the text is one sentence with a next step."""
