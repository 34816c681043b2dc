"""What OpenSSH's configuration says of a server."""
