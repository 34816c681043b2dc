"""One terminal program to run a vLLM cluster on NVIDIA DGX Spark machines."""

__version__ = "0.1.0"
