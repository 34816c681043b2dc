"""The Logs view: its widgets, what its keys do, and its pure drawing (`show`)."""
