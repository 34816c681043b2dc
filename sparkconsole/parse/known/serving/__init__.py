"""What vLLM, Ray and the hub are known to say of a model that is served."""
