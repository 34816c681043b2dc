"""The only place that talks to machines."""
