"""Rerun a test under stress until its verdict is certain."""
