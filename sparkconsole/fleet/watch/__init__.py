"""The watch: what keeps the store true for as long as it is open."""
