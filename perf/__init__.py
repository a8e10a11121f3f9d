"""Speed as ratios, each of two ways measured in turns: `python -m perf run`, `compare`, `table`, `page`."""
