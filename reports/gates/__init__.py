"""What `bench check` holds results against, and what it says."""
