"""One pretend Spark: its life, memory, engine, jobs and models."""
