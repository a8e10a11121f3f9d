"""Numbers in, numbers out: verdicts and paired tests."""
