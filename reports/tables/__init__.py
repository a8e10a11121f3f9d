"""The papers' tables: layouts, published and measured cells, and the page that is printed."""
