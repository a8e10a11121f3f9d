class BenchError(Exception):
    """Error of a call that cannot be done as typed; the text is one sentence with a next step."""
