"""The container image: its name, build, history, the way to other nodes, and what may be pruned."""
