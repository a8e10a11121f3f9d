class MethodError(Exception):
    """A detector, recipe, parameter or weights file cannot be used as asked; the text says what to do next."""
