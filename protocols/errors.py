class DataError(Exception):
    """A dataset, split or image cannot be used as asked; the text is one sentence with a next step."""


class MissingError(DataError):
    """A file or folder that the release should have is missing."""
