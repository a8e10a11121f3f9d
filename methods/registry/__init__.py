"""Facts of a method without its code: parameters and recipes; and the list of the installed methods."""
