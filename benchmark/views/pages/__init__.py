"""What pages of results say beyond their tables, made ready for `reports.pages`."""
