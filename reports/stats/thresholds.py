"""Thresholds of verdicts, gates and paired tests: what counts as a difference, and how sure a test must be."""

MARGIN = 0.02
"""Smallest difference of a measured from a published AUC that counts, as a fraction."""

TOLERANCE = 0.01
"""Largest difference of a metric from a reference run of another machine, as a fraction."""

VERDICT_QUANTILE = 0.95
"""Of a two-sided 90 % interval; the interval within the margin is TOST at 5 %."""

GATE_ALPHA = 0.10
"""Chance of any false alarm of the gate over all cells."""

PAIRED_ALPHA = 0.05
PAIRED_QUANTILE = 1 - PAIRED_ALPHA / 2
"""Of a two-sided 95 % interval."""

EPSILON = 1e-9
"""Differences below this are of rounding alone."""
