"""Runs: what was asked, planned and done, and what was printed; whole files, one writer each."""
