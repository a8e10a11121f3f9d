"""What rules share: ranks by hash, options, the steps from a request to lists of ids."""
