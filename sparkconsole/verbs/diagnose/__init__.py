"""`check`, `doctor`, `explain`."""
