"""Models in the nodes' caches: where, which, their headers, and what moves them."""
