"""Models copied from node to node, and whether they fit."""
