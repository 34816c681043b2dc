"""Work as values: what would be done (a plan), that it was done (a run), and detached processes (jobs)."""
