"""Clusters started, stopped, and what is looked at before."""
