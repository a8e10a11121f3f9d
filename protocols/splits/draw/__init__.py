"""Parts of all rules: ranks by hash, options, the steps from a request to lists of ids."""
