"""A language model on disk and in memory: files, weights, KV cache, and whether it fits."""
