"""Faults at random moments of real verbs: what the console says is held against what the nodes say."""
