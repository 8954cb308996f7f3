"""For `dask worker --preload flakehunter.cli.fleet_worker`: what commands need of a worker, got ready when it starts.

Else the first item that it is given does so, while somebody waits: imports, and the patterns of the text rules.
"""

import contextlib

import flakehunter.detect.blocks
import flakehunter.ingest.worker
import flakehunter.scan.run  # noqa: F401
from flakehunter.detect.rulebook import built_in

# A worker without the driver may still judge and scan.
with contextlib.suppress(ImportError):
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

for rule in built_in():
    _ = rule.pattern
