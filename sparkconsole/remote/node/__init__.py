"""Looks at one machine: facts, page cache, the place of a launch, its power."""
