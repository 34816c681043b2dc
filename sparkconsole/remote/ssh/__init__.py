"""A node over one SSH connection: logging in, its route, commands and their output."""
