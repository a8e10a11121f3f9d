"""From a suite and a selection to runs with keys and states."""
