"""What this machine has and holds: inventory, diagnosis, clean-up."""
