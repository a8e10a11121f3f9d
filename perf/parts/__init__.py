"""What is measured: a file a part, each with a title, a line on what it measures, and the function `measure_ratios`."""
