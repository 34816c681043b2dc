"""Real nodes on one machine: each has its own network, host name, sshd and Docker engine, and looks like a Spark."""
