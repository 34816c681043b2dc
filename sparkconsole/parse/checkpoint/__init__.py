"""What is printed of models: configuration, headers, caches, copies."""
