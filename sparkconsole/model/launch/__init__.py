"""A launch: what is asked, the `docker run` of each node, its steps and its state machine."""
