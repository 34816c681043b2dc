"""`fabric`."""
