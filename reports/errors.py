class ReportError(Exception):
    """Something about a table or its options that a person can mend; the text is one sentence with a next step."""
