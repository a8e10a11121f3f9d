"""From tasks to records: the scheduler, its engines, and what a worker does."""
