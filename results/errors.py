class ResultsError(Exception):
    """Something about records or their folder that a person can mend; the text is one sentence with a next step."""
