"""Cells of the papers' tables, published and measured, and the page that is printed."""
