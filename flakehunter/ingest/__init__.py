"""From artifacts on disk to rows in the database."""
