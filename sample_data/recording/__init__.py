"""How sample_data/record.py builds the sample history, runs its jobs and checks the record."""
