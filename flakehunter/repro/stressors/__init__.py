"""Stressors, one module each."""
