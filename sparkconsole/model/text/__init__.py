"""Text made safe and short: what machines say, secrets taken out, the nearest word, units."""
