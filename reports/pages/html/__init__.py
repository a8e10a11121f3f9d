"""Results as one HTML file: a page of a table, and a site of all tables."""
