"""The one training loop, and what trainings share: losses, phases, supervised fits."""
