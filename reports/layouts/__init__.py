"""Tables as the papers print them: their places, published values, and what measures each."""
