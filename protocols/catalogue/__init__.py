"""The data folder: preparing datasets there, verifying them, and taking splits out of it for other code."""
