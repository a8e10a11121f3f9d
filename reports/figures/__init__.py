"""Box plots and pictures of the papers' figures."""
