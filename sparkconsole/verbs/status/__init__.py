"""`status` and `wait-for`."""
