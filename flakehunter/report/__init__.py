"""Reports for teams: view models, charts, and the formats they are written in."""
