"""What the ends of a copy say."""
