"""From evidence to one verdict a test."""
