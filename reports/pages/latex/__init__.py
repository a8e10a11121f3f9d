"""Tables typeset for a paper: floats that fit the page at a size that can be read, and one macro a cell."""
