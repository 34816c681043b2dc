"""One engine for copies between nodes: images and models are its two payloads."""
