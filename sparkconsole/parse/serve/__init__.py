"""What vLLM and Ray print and answer: starts, processes, metrics, benchmarks, deaths."""
