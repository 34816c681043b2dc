"""Looks at every node, side by side, and what the doctor wants to know."""
