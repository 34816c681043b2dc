"""The fabric asked of its nodes: paths and rates."""
