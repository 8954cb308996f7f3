"""Readers of console logs, one module a format."""
