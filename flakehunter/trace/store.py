"""Put a trace into the database, as evidence for `detect` and `report`."""

import os
import platform
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from flakehunter.db.queries.tests import find_test
from flakehunter.db.queries.traces import StoredTrace, TracedFinding, TracedProcess, write_trace
from flakehunter.db.write import ensure_project
from flakehunter.errors import UnknownTestError
from flakehunter.trace.findings import Finding
from flakehunter.trace.processes import Process
from flakehunter.trace.session import TraceResult

__all__ = ["store"]

FAILED_WEIGHT = 0.95
"""Weight of a finding of a run that failed by it."""
PASSED_WEIGHT = 0.85
"""Weight of a finding of a run that passed: the order was luck, but it was never seen to fail."""


def store(
    engine: Engine,
    result: TraceResult,
    document: dict[str, Any],
    *,
    project: str,
    test_id: int | None,
    root: Path,
    started: datetime,
) -> int:
    """Write the trace and return the id of its experiment; `document` is the JSON document of the result."""
    with engine.connect() as connection:
        tests = {window.test: _test_of(connection, window.test, project) for window in result.world.windows}
    if test_id is None and len(tests) == 1:
        [test_id] = tests.values()
    stored = StoredTrace(
        test_id=test_id,
        command=shlex.join(result.command),
        exit_code=result.exit_code,
        duration_s=result.wall_s,
        summary={key: value for key, value in document.items() if key != "processes"},
        machine={"cpus": os.cpu_count(), "load": os.getloadavg()[0], "kernel": platform.release()},
        processes=[_process(process) for process in result.world.processes],
        findings=[
            _finding(finding, entry, root, tests)
            for finding, entry in zip(result.findings, document["findings"], strict=True)
        ],
        started_at=started,
    )
    with engine.begin() as connection:
        return write_trace(connection, ensure_project(connection, project), stored)


def _process(process: Process) -> TracedProcess:
    signalled = process.deliveries[0].time if process.deliveries else None

    def after_signal(time: float | None) -> float | None:
        return None if time is None or signalled is None else round((time - signalled) * 1000, 3)

    return TracedProcess(
        pid=process.pid,
        ppid=process.parent.pid if process.parent else 0,
        pgid=process.pgid,
        sid=process.sid,
        argv=process.command,
        exit_status=process.status,
        survived=process.survived,
        time_to_exit_ms=after_signal(process.exited),
        time_to_reap_ms=after_signal(process.reaped),
    )


def _test_of(connection: Connection, test: str, project: str) -> int | None:
    """Return the id of the test that a runner calls so: a node id of pytest, or `FILE > NAMES`; None if unknown."""
    file, _, names = test.partition(" > ")
    try:
        row = find_test(connection, names or test, project=project)
    except UnknownTestError:
        return None
    return row.id if not names or file in (row.identity.classname, row.file) else None


def _finding(finding: Finding, entry: dict[str, Any], root: Path, tests: dict[str, int | None]) -> TracedFinding:
    mark = finding.look_mark
    file = Path(mark.file) if mark is not None and mark.file else None
    name = "" if file is None else str(file.relative_to(root) if file.is_relative_to(root) else file)
    failed = finding.slack_s is not None and finding.slack_s < 0
    return TracedFinding(
        mechanism=finding.mechanism,
        file=name,
        line=mark.line if mark is not None else None,
        score=FAILED_WEIGHT if failed else PASSED_WEIGHT,
        evidence=entry,
        test_id=tests[finding.window.test] if finding.window is not None else None,
    )
