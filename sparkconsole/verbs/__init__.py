"""Everything a person can ask for, said once."""
