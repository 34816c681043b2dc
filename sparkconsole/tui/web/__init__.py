"""The same console in a browser on this machine: loopback only, and only for who has the address."""
