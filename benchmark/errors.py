class BenchError(Exception):
    """What was asked for cannot be done as typed; the text is one sentence with a next step."""
