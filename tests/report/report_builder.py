"""Builds databases straight from the tables: histories as `ingest`, `detect` and `repro` would have stored them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, insert

from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import ProcessRow, TrialRow, add_trial
from flakehunter.db.queries.traces import StoredTrace, write_trace
from flakehunter.db.schema import (
    Artifact,
    Experiment,
    Failure,
    Finding,
    LogEvent,
    Project,
    Result,
    Run,
    TestCase,
    TestVerdict,
)
from flakehunter.model import (
    Evidence,
    EvidenceSource,
    Interval,
    LogEventKind,
    Mechanism,
    Outcome,
    ReproVerdict,
    TestIdentity,
    TrialOutcome,
    Verdict,
)

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SOME_RATE = Interval(0.2, 0.1, 0.35)

HOSTILE = [
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eright to left \u2066mark",
    "\x1b[31mred\x1b[0m \x07 \x00 \x85",
    "N" * 10_000,
    "../../../etc/passwd",
    "con.", "$\\frac{1}{2}$", "--help", "\ufeff", "]]></style></script><!--",
]  # fmt: skip
"""Texts that a stranger may choose: names, messages, branches, log lines."""


@cache
def _empty_database() -> bytes:
    """Return a database without rows: its tables are made once for all tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        open_database(f"sqlite:///{path}", create=True).dispose()
        return path.read_bytes()


@dataclass
class Builder:
    """Writes rows into a new database; ids count from 1 in the order of the calls."""

    path: Path
    project: str = "default"
    engine: Engine = field(init=False)
    connection: Connection = field(init=False)

    def __enter__(self) -> Self:
        """Make the database, or open the one that is there."""
        if not self.path.exists():
            self.path.write_bytes(_empty_database())
        self.engine = open_database(f"sqlite:///{self.path}")
        self._begin = self.engine.begin()
        self.connection = self._begin.__enter__()
        self.project_id = self._add(Project, name=self.project)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit and close."""
        self._begin.__exit__(kind, error, trace)
        self.engine.dispose()

    def _add(self, table: type[Any], **values: Any) -> int:
        return int(self.connection.execute(insert(table).values(**values)).inserted_primary_key[0])

    def run(
        self, commit: str, *, job: str = "linux", attempt: int = 1, at: datetime | None = START, **more: Any
    ) -> int:
        """Add a run with one artifact of its own; return the run's id."""
        run = self._add(
            Run,
            project_id=self.project_id,
            external_id=more.pop("external_id", commit),
            job=job,
            attempt=attempt,
            commit_sha=commit,
            started_at=at,
            **more,
        )
        digest = hashlib.sha256(str(run).encode()).digest()
        self._add(
            Artifact,
            run_id=run,
            sha256=digest,
            path=f"runs/{commit}/junit.xml",
            kind="junit",
            size_bytes=1,
            ingested_at=START,
        )
        return run

    def test(self, name: str, *, classname: str = "tests.test_group", suite: str = "pytest", **more: Any) -> int:
        """Add a test case; return its id."""
        identity = TestIdentity(self.project, suite, classname, name)
        return self._add(
            TestCase,
            project_id=self.project_id,
            key=identity.key,
            suite=suite,
            classname=classname,
            name=name,
            **more,
        )

    def failure(self, message: str, *, kind: str = "AssertionError", detail: str = "") -> int:
        """Add the text of a failure; return its id."""
        fingerprint = hashlib.blake2b(kind.encode() + message.encode("utf-8", "replace"), digest_size=16).digest()
        whole = hashlib.blake2b(repr((kind, message, detail)).encode(), digest_size=16).digest()
        return self._add(Failure, fingerprint=fingerprint, detail_hash=whole, type=kind, message=message, detail=detail)

    def result(
        self,
        test: int,
        run: int,
        outcome: Outcome = Outcome.PASSED,
        *,
        duration_s: float | None = 0.1,
        attempt: int = 1,
        failure: int | None = None,
    ) -> int:
        """Add one attempt of a test in a run."""
        return self._add(
            Result,
            test_case_id=test,
            run_id=run,
            artifact_id=run,
            attempt=attempt,
            outcome=outcome,
            duration_s=duration_s,
            failure_id=failure,
        )

    def results(self, test: int, runs: Sequence[int], pattern: str, *, failure: int | None = None) -> None:
        """Add one attempt per run: `.` passed, `F` failed, `s` skipped, blank none; durations differ a little."""
        words = {".": Outcome.PASSED, "F": Outcome.FAILED, "s": Outcome.SKIPPED}
        for place, (run, letter) in enumerate(zip(runs, pattern, strict=True)):
            if letter in words:
                bad = letter == "F"
                seconds = (0.4 if bad else 0.1) + 0.003 * (place * 7 % 11)
                self.result(test, run, words[letter], duration_s=seconds, failure=failure if bad else None)

    def verdict(
        self,
        test: int,
        verdict: Verdict = Verdict.FLAKY,
        *,
        rate: Interval = SOME_RATE,
        mechanism: Mechanism | None = Mechanism.CHECK_BEFORE_EXIT,
        since: str = "",
        evidence: Sequence[Evidence] = (),
        decided_at: datetime = START + timedelta(days=300),
    ) -> int:
        """Add what `detect` said."""
        return self._add(
            TestVerdict,
            test_case_id=test,
            verdict=verdict,
            p_flaky=0.97 if verdict is Verdict.FLAKY else 0.02,
            flake_rate=rate.value,
            flake_rate_low=rate.low,
            flake_rate_high=rate.high,
            mechanism=mechanism,
            p_mechanism=0.9 if mechanism else None,
            since_commit=since,
            evidence=[
                {"source": item.source, "text": item.text, "weight": item.weight, "ref": item.ref} for item in evidence
            ],
            decided_at=decided_at,
        )

    def log_event(
        self, test: int, run: int, text: str, *, kind: LogEventKind = LogEventKind.SIGNAL, line: int = 1
    ) -> None:
        """Add a log line that belongs to a test."""
        self._add(
            LogEvent,
            artifact_id=run,
            run_id=run,
            test_case_id=test,
            line=line,
            time=None,
            kind=kind,
            pid=None,
            text=text,
        )

    def finding(self, test: int, mechanism: Mechanism, **evidence: Any) -> None:
        """Add a finding of the source scan."""
        self._add(
            Finding,
            test_case_id=test,
            mechanism=mechanism,
            source=EvidenceSource.SCAN,
            file="tests/test_group.py",
            line=12,
            score=0.8,
            evidence=evidence,
            created_at=START,
        )

    def experiment(
        self, test: int | None, summary: Mapping[str, Any], *, verdict: ReproVerdict = ReproVerdict.REPRODUCED
    ) -> int:
        """Add an experiment of `repro`."""
        return self._add(
            Experiment,
            project_id=self.project_id,
            test_case_id=test,
            command="python -m pytest -q tests/test_group.py",
            verdict=verdict,
            mechanism=Mechanism.CHECK_BEFORE_EXIT,
            started_at=START + timedelta(days=200),
            finished_at=START + timedelta(days=200, seconds=40),
            summary=dict(summary),
            machine={},
        )

    def trials(
        self, experiment: int, stressor: str, times_ms: Sequence[float], *, group_kill: str = "process-group"
    ) -> None:
        """Add one trial per time to death, as `repro` does."""
        for place, time in enumerate(times_ms):
            trial = TrialRow("flawed", stressor, group_kill, place + 1, TrialOutcome.PASSED, 0, 0.2, "")
            add_trial(
                self.connection,
                experiment,
                trial,
                [ProcessRow(100 + place, 1, 100, 100, "sleep 30", "", -15, False, time, time + 0.2)],
            )

    def trace(self, test: int, findings: Sequence[Mapping[str, Any]]) -> None:
        """Add a traced run, as `trace` does."""
        stored = StoredTrace(
            test_id=test,
            command="python -m pytest tests/test_group.py",
            exit_code=0,
            duration_s=0.4,
            summary={"exit_code": 0, "findings": list(findings)},
            machine={},
            processes=[],
            findings=[],
            started_at=START + timedelta(days=201),
        )
        write_trace(self.connection, self.project_id, stored)


def arm(name: str, stressor: str, failures: int, trials: int, low: float, high: float) -> dict[str, Any]:
    """Return an arm as it stands in the document of `repro`."""
    return {
        "name": name,
        "stressor": stressor,
        "group_kill": "process-group",
        "trials": trials,
        "failures": failures,
        "errors": 0,
        "hangs": 0,
        "rate": {"value": failures / trials, "low": low, "high": high},
    }


def team_history(path: Path) -> None:
    """Write the history of a small team: two flaky tests, a regression, one undecided, healthy ones; 14 commits."""
    path.write_bytes(_team_database())


@cache
def _team_database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "team.db"
        _write_team_history(path)
        return path.read_bytes()


def _write_team_history(path: Path) -> None:
    with Builder(path) as build:
        commits = [hashlib.sha1(str(place).encode(), usedforsecurity=False).hexdigest() for place in range(14)]
        runs = [
            build.run(commit, job=job, at=START + timedelta(days=4 * place, hours=hour), external_id=str(1000 + place))
            for place, commit in enumerate(commits)
            for hour, job in enumerate(("linux-pytest", "linux-vitest", "windows-pytest"))
        ]
        seen = build.failure(
            "assert not True\n +  where True = process_is_alive(4242)",
            detail="tests/test_group.py:48: in test_abort_kills_the_group\n    assert not process_is_alive(pid)\n"
            "E   assert not True\nE    +  where True = process_is_alive(4242)",
        )
        build.failure("assert not True\n +  where True = process_is_alive(77)", detail="another pid")
        port = build.failure("[Errno 98] Address already in use", kind="OSError")
        broken = build.failure("assert 3 == 4")
        healthy = [build.test(f"test_parses_line_{place}") for place in range(6)]
        abort = build.test("test_abort_kills_the_group", file="tests/test_group.py", line=31, framework="pytest")
        serve = build.test(
            "binds the same port again", classname="test/server.test.ts", suite="vitest", framework="vitest"
        )
        regressed = build.test("test_counts_members", file="tests/test_count.py", framework="pytest")
        unsure = build.test("test_reads_pid_file")
        count = len(runs)
        for test in healthy:
            build.results(test, runs, "." * count)
        build.results(abort, runs, (".........F...F..FF.....F..F.....FF.....F.." * 2)[:count], failure=seen)
        build.results(
            serve, runs, "".join(" .F."[1 + place % 3 * (place % 5 == 0)] for place in range(count)), failure=port
        )
        build.results(regressed, runs, "." * 21 + "F" * 9 + "." * (count - 30), failure=broken)
        build.results(unsure, runs, "." * (count - 2) + "F.", failure=broken)
        for test in healthy:
            build.verdict(test, Verdict.HEALTHY, mechanism=None, rate=Interval(0, 0, 0.08))
        build.verdict(
            abort,
            since=commits[3],
            rate=Interval(0.21, 0.12, 0.36),
            evidence=[
                Evidence(EvidenceSource.TEXT, "the message says that a process was still alive", 0.6, "failure 1"),
                Evidence(
                    EvidenceSource.HISTORY, "6 commits have both passes and failures", 0.9, f"commit {commits[3]}"
                ),
                Evidence(
                    EvidenceSource.REPRO,
                    "fails in 21 of 35 trials under cpu:8, in 0 of 60 without",
                    0.95,
                    "experiment 1",
                ),
            ],
        )
        build.verdict(serve, mechanism=Mechanism.RESOURCE_STILL_HELD, since=commits[0], rate=Interval(0.07, 0.02, 0.19))
        build.verdict(regressed, Verdict.BROKEN, mechanism=None, since=commits[7], rate=Interval(0, 0, 0.1))
        build.verdict(unsure, Verdict.UNKNOWN, mechanism=None, rate=Interval(0.02, 0, 0.1))
        build.log_event(abort, runs[9], "sending SIGTERM to process group 4242", line=12)
        build.log_event(abort, runs[9], "child 4243 still running", line=13, kind=LogEventKind.PROCESS)
        build.finding(
            abort,
            Mechanism.CHECK_BEFORE_EXIT,
            text="looks once, right after the signal",
            quote="os.killpg(pgid, signal.SIGTERM)\nassert not process_is_alive(pid)",
        )
        tried = build.experiment(
            abort,
            {
                "verdict": "fix-verified",
                "replay": "flakehunter repro --replay 1",
                "arms": [
                    arm("flawed", "none", 0, 60, 0.0, 0.06),
                    arm("flawed", "cpu:8", 21, 35, 0.42, 0.76),
                    arm("fixed", "cpu:8", 0, 90, 0.0, 0.04),
                ],
            },
            verdict=ReproVerdict.FIX_VERIFIED,
        )
        build.trials(tried, "none", [0.3 + 0.01 * (place * 7 % 13) for place in range(40)])
        build.trials(tried, "cpu:8", [0.9 * 1.12 ** (place * 11 % 35) for place in range(35)])
        build.trials(tried, "cpu:8", [0.7 * 1.09 ** (place * 11 % 35) for place in range(35)], group_kill="cgroup")
        build.trace(
            abort,
            [
                {
                    "mechanism": "check-before-exit",
                    "pid": 4243,
                    "argv": ["sleep", "30"],
                    "signal_ms": 101.2,
                    "exit_ms": 101.9,
                    "reap_ms": 102.4,
                    "look_ms": 103.0,
                    "slack_ms": 1.1,
                    "text": "looked once at process 4243 (sleep 30), 1.1 ms after its exit",
                    "predicted_rates": {"plain": 0.02, "8 busy workers": 0.55, "measured": 0.61},
                },
                {
                    "mechanism": "zombie-counted-alive",
                    "pid": 4244,
                    "argv": ["bash", "-c", "sleep 30 & echo $!; wait"],
                    "signal_ms": 101.2,
                    "exit_ms": 104.8,
                    "reap_ms": None,
                    "look_ms": 102.6,
                    "slack_ms": -2.2,
                    "text": "looked at process 4244 (bash) before its exit",
                },
            ],
        )


def hostile_history(path: Path) -> None:
    """Write a history in which every text that a stranger may choose is hostile."""
    with Builder(path, project=HOSTILE[0]) as build:
        runs = [
            build.run(HOSTILE[place], job=HOSTILE[place], branch=HOSTILE[place], external_id=HOSTILE[place], at=None)
            for place in (0, 1, 2, 4, 5)
        ]
        for place, text in enumerate(HOSTILE):
            test = build.test(text, classname=text, suite=text, file=text, framework=text[:60])
            broken = build.failure(text, kind=text, detail=text * 3)
            build.results(test, runs, ".F.F.", failure=broken)
            evidence = [Evidence(EvidenceSource.TEXT, text, 0.5, text)]
            build.verdict(test, Verdict.FLAKY if place % 3 else Verdict.BROKEN, evidence=evidence, since=HOSTILE[0])
            build.log_event(test, runs[1], text)
            build.finding(test, Mechanism.SURVIVOR, text=text, quote=text)
            build.finding(test, Mechanism.FIXED_SLEEP, text=text, signal_source=text, look_source=text, look_line=7)
            if place < 3:
                seen = {"pid": text, "argv": [text], "text": text, "signal_ms": 1, "look_ms": 2.0}
                build.trace(test, [{**seen, "predicted_rates": {text: 0.5, "cpu:8": text}}])
            if place > 5:
                continue  # the texts of an experiment are shown as all others are, and its chart takes 0.1 s
            arm = {"name": text, "stressor": text, "group_kill": text, "trials": 9, "failures": 3}
            arms = [{**arm, "rate": {"value": 0.3, "low": 0.1, "high": 0.7}}, {**arm, "stressor": "none"}]
            build.experiment(test, {"replay": text, "arms": arms})
