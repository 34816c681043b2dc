"""The fast links: which there are, the paths between nodes, their rates, and what a test finds."""
