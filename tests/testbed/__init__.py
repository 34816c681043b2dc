"""Real nodes on one machine: each has its own network, host name, sshd, Docker engine and face."""
