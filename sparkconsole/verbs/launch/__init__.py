"""`launch` and `stop`."""
