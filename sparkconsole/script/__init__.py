"""The headless face: one verb, or a file of them."""
