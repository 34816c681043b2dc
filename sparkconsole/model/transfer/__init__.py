"""A copy between nodes, whatever is copied: its two ends, how far it is, how it ended."""
