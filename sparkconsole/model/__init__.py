"""What things are: frozen values and pure functions. No input or output, no clock."""
