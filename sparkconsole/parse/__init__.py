"""Text from tools becomes values of the model, one tool a file; what was not understood stays unknown."""
