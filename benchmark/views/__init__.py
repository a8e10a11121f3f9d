"""Views of records, datasets, plans and recipes, which verbs print."""
