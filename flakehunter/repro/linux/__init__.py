"""How trials are run on Linux: below child subreapers that may trace, forked by a nursery that is ready."""
