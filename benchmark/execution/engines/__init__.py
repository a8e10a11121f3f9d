"""Where fits are handed to: one engine a file, found by its name; its `opener` gives the executors."""
