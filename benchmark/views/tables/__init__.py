"""Tables that verbs print, of papers and of suites, with the records that a person asks for."""
