"""What a pretend Spark answers to commands, sockets and its sampler."""
