"""Reading questions asked of the database, one module a topic; each returns plain dataclasses or aggregates."""
