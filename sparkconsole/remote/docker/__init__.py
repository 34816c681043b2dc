"""The Docker engine of a node: where it listens, its API, its logs, commands in containers."""
