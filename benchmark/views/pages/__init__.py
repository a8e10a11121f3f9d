"""Evidence, cards and boards beyond tables, made ready for `reports.pages`."""
