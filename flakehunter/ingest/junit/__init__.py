"""Readers of JUnit XML, all dialects."""
