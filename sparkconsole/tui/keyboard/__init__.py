"""Keys as data, their order, and where they reach."""
