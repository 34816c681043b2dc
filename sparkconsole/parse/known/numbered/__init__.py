"""Tables of numbered errors, each from its own source."""
