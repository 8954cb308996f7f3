"""How trials are run on Windows: each in a Job Object of its own."""
