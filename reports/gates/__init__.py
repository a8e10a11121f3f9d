"""Gates of `bench check`: published values and reference runs, and the text of their results."""
