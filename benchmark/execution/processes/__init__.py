"""Worker processes: a pool of them, what they start, what is handed to them, and their time."""
