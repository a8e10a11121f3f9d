"""Choice of runs by the verdicts that they may bring, and what is printed of it."""
