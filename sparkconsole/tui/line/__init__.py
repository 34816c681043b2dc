"""The line at the bottom and the palette: words, completion, history."""
