"""Real nodes on one machine: each with its own network, host name, sshd, Docker engine, and a Spark's face."""
