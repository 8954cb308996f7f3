"""Which run an artifact belongs to, told by the environment of a CI; one module a provider."""
