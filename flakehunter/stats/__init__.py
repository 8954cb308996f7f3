"""Statistics as pure functions: numbers and arrays in, numbers and frozen dataclasses out."""
