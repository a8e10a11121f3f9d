"""What verbs print of records, datasets, plans and recipes."""
