"""A pretend cluster behind the same Shell as a real one."""
