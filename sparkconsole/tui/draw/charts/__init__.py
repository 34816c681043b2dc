"""Series, distributions and heat as lines of text."""
