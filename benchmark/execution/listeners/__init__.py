"""Those who hear of the fits of a call: the person who waits, and trackers of experiments."""
