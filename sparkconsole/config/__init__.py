"""Settings and inventory: what people and files fill in."""
