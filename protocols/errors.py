class DataError(Exception):
    """A dataset, split or image cannot be used as asked; the text is one sentence with a next step."""


class MissingError(DataError):
    """What a release should hold is not where it was looked for."""
