"""Logs of many nodes: where they come from, and how they become one."""
