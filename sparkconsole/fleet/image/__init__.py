"""Images built on a node and copied to others."""
