"""Static evidence: find in test source the line that signals and the line that looks too early."""
