"""Lines of logs: who said them, how bad they are, and the diagnosis that comes of them."""
