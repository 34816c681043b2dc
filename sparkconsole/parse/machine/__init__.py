"""What a node says of itself: memory, GPU, listeners, its sampler and its looks."""
