"""Two methods on the same images, and two results folders."""
