"""What a copy asks of its two ends, whatever is copied."""
