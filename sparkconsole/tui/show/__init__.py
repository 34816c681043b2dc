"""The console's show."""
