"""The server's HTTP API, its processes, and its memory guard."""
