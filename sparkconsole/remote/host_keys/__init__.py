"""Host keys: shown, known, trusted."""
