"""What is known of a method without its code: parameters, recipes, and which methods are installed."""
