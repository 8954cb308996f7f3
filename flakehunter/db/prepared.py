"""What a transaction would ask a server for, artifact by artifact, asked for all of them at once.

Each statement is a wait for the server: a tenth of a millisecond, and far more over a network. A file of 500 results,
which are parsed and sent in two milliseconds, had six of its own. Whatever is not here is asked for as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.engine import Connection

from flakehunter.clock import utc_now
from flakehunter.db.bulk import ARTIFACT_COLUMNS, Bulk, artifact_fields
from flakehunter.db.locks import lock_runs
from flakehunter.db.rows import ReadArtifact, RunRow
from flakehunter.db.runs import RunName, RunState, insert_runs, name_of, names_there

_NEW_ARTIFACTS = (
    f"INSERT INTO artifacts ({ARTIFACT_COLUMNS})"
    " SELECT t.run_id, t.sha256, t.path, t.kind, t.format, t.size_bytes, %s FROM unnest"
    "(%s::bigint[], %b::bytea[], %b::text[], %b::text[], %b::text[], %s::bigint[]) WITH ORDINALITY"
    " AS t(run_id, sha256, path, kind, format, size_bytes, number) ORDER BY t.number"
    " ON CONFLICT (run_id, sha256) DO NOTHING RETURNING id, run_id, sha256"
)


@dataclass(slots=True)
class Prepared:
    """What has been asked for or made in the transaction that is open, by what will need it; nothing on SQLite."""

    locked: frozenset[RunName] = frozenset()
    """Runs that only this transaction writes."""
    runs: dict[RunRow, RunState] = field(default_factory=dict)
    """Runs that are new; each is taken out when its first artifact comes."""
    artifacts: dict[tuple[int, bytes], int] = field(default_factory=dict)
    """Ids of artifacts that are new, by run and content; taken out, too."""
    failures: set[int] = field(default_factory=set)
    """Failures that are there and stay, to the end of the transaction."""


class Caches(Protocol):
    """What is known of rows that are committed."""

    bulk: Bulk
    runs: dict[RunRow, RunState]
    failures: dict[tuple[bytes, bytes], int]


def lock_all(connection: Connection, project_id: int, files: Sequence[ReadArtifact]) -> frozenset[RunName]:
    """Lock the runs of all files; return their names."""
    names = frozenset(name_of(read.run) for read in files)
    lock_runs(connection, [(project_id, *name) for name in names])
    return names


def prepare(
    connection: Connection, caches: Caches, project_id: int, files: Sequence[ReadArtifact], prepared: Prepared
) -> None:
    """Insert the runs that are new, and the artifacts of runs that are known or new; look for known failures."""
    runs = _new_runs(connection, caches, project_id, files)
    known = [
        (state.id, read) for read in files if (state := caches.runs.get(read.run) or runs.get(read.run)) is not None
    ]
    pairs = {
        (failure.fingerprint, failure.detail_hash)
        for read in files
        for batch in read.batches
        for failure in batch.failures
    }
    failures = sorted(caches.failures[pair] for pair in pairs & caches.failures.keys())
    prepared.runs = runs
    prepared.artifacts = _new_artifacts(connection, known, utc_now())
    prepared.failures = caches.bulk.failures_there(connection, failures)


def _new_runs(
    connection: Connection, caches: Caches, project_id: int, files: Sequence[ReadArtifact]
) -> dict[RunRow, RunState]:
    first: dict[RunName, ReadArtifact] = {}
    for read in files:
        # Another file of the run may tell more of it, which is added to what the first one told.
        first.setdefault(name_of(read.run), read)
    wanted = {name: read for name, read in first.items() if read.run not in caches.runs}
    there = names_there(connection, project_id, wanted) if wanted else set()
    new = {read.run: read.run.started_at or read.started_at for name, read in wanted.items() if name not in there}
    return insert_runs(connection, project_id, new) if new else {}


def _new_artifacts(
    connection: Connection, known: Sequence[tuple[int, ReadArtifact]], now: datetime
) -> dict[tuple[int, bytes], int]:
    if not known:
        return {}
    fields = zip(*((run_id, *artifact_fields(read.row)) for run_id, read in known), strict=True)
    made = connection.exec_driver_sql(_NEW_ARTIFACTS, (now, *map(list, fields)))
    return {(run_id, bytes(sha256)): id_ for id_, run_id, sha256 in made}
