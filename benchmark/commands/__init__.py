"""The verbs of `bench`, one module each; a module's `command` is found by its name."""
