"""Help, reference, completion and examples, all from the registry."""
