"""Models served, their status, their end, and what ends them in time."""
