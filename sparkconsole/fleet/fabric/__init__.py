"""The fabric test of all nodes, and the rates of earlier ones."""
