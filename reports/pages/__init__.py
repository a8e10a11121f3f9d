"""Printed forms of tables: text in each format, LaTeX for papers, a page of HTML."""
