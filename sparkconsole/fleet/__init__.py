"""The controller: one keeper per node, jobs, the journal."""
