"""What runs on a node and says a line a second, and how it is read."""
