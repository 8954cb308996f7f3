"""What the pages show, as plain frozen data: no database, no HTML, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flakehunter.model import Interval, Mechanism, Outcome, TestIdentity, Verdict


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the history; `position` counts from 0, oldest first."""

    sha: str
    position: int
    when: datetime | None
    """When its first run started."""

    @property
    def short(self) -> str:
        """Return the abbreviated hash as people write it."""
        return self.sha[:8] or "(no commit)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One attempt of a test in a run, for the history strip."""

    outcome: Outcome
    job: str
    run: str
    """Id and attempt of the CI run."""
    attempt: int
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class CommitCells:
    """All attempts of a test at one commit, in the order they ran."""

    commit: Commit
    cells: Sequence[Cell]

    @property
    def bad(self) -> int:
        """Return how many attempts failed."""
        return sum(cell.outcome.is_bad for cell in self.cells)

    @property
    def mixed(self) -> bool:
        """Whether the commit has passes and failures: the proof of a flake."""
        return self.bad > 0 and any(cell.outcome is Outcome.PASSED for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations in seconds of passes and of failures, each sorted."""

    passed: Sequence[float]
    failed: Sequence[float]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures with the same fingerprint; the texts are those of the newest one."""

    fingerprint: str
    count: int
    type: str
    message: str
    detail: str
    first: Commit
    last: Commit


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line about signals, processes, kills, time-outs or jobs, of a run in which the test failed."""

    kind: str
    text: str
    ref: str
    """Path and line of the log."""


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One reason for the verdict."""

    source: str
    text: str
    weight: float
    ref: str


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """A line of source, or of a trace, that a finding points at."""

    mechanism: Mechanism
    source: str
    place: str
    text: str
    quote: str
    score: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of an experiment: how often its command failed."""

    name: str
    stressor: str
    group_kill: str
    trials: int
    failures: int
    errors: int
    hangs: int
    rate: Interval


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """One experiment of `repro` with this test."""

    verdict: str
    sentence: str
    command: str
    replay: str
    started_at: datetime
    arms: Sequence[Arm]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RateCell:
    """How often a test failed under one stressor with one group-kill backend, over all experiments without a fix."""

    failures: int
    trials: int
    """Those that came to an outcome: hangs and errors of the harness are left out."""
    rate: Interval


@dataclass(frozen=True, slots=True)
class RateTable:
    """Failure rates by stressor (rows) and group-kill backend (columns); None where there was no trial."""

    group_kills: Sequence[str]
    rows: Sequence[tuple[str, Sequence[RateCell | None]]]


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """One finding of a traced run: when things happened to a process, in milliseconds after the run began."""

    mechanism: str
    process: str
    text: str
    slack_ms: float | None
    moments: Sequence[tuple[str, float]]
    """(`signal`, `exit`, `reap` or `look`, time), in the order of time."""
    predicted: Sequence[tuple[str, float]] = ()
    """(load, failure rate in [0, 1]) that the slack and the times to death of that load predict."""


@dataclass(frozen=True, slots=True)
class TraceView:
    """The newest traced run of a test."""

    command: str
    started_at: datetime
    exit_code: int | None
    events: Sequence[TracedEvent]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the traced run says about the failure rate under a load, beside what was observed under it."""

    load: str
    predicted: float
    observed: RateCell | None


@dataclass(frozen=True, slots=True)
class Deaths:
    """Times to death in milliseconds under one stressor and backend, sorted, and the deadline they recommend."""

    stressor: str
    group_kill: str
    times_ms: Sequence[float]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Companion:
    """Another test that failed in the same runs; `slug` is None where it has no page."""

    label: str
    slug: str | None
    together: int
    """Runs in which both failed."""
    failures: int
    """Runs in which the other failed."""


@dataclass(frozen=True, slots=True)
class TestSummary:
    """One row of the tables of tests."""

    __test__ = False  # the name makes pytest think that this is a test class

    identity: TestIdentity
    slug: str
    verdict: Verdict
    p_flaky: float
    rate: Interval
    mechanism: Mechanism | None
    p_mechanism: float | None
    since: Commit | None
    attempts: int
    failures: int
    lost_jobs: int
    lost_s: float
    last_bad: Commit | None
    recent: Sequence[Outcome]
    """The newest outcomes, oldest first."""
    framework: str
    file: str
    line: int | None
    owner: str = ""

    @property
    def label(self) -> str:
        """Return the id shown to users."""
        return self.identity.label

    @property
    def name(self) -> str:
        """Return the name shown to users; a link needs words also where a test has none."""
        return self.identity.name.strip() or "(no name)"


@dataclass(frozen=True, slots=True)
class TestPage:
    """Everything on the page of one test."""

    __test__ = False  # the name makes pytest think that this is a test class

    summary: TestSummary
    strip: Sequence[CommitCells]
    hidden_commits: int
    """Commits left out at the old end of the strip."""
    durations: Durations
    failures: Sequence[FailureGroup]
    log: Sequence[LogLine]
    hidden_log: int
    evidence: Sequence[EvidenceItem]
    findings: Sequence[SourceFinding]
    experiments: Sequence[ExperimentView]
    rates: RateTable | None
    """None where no trial without a fix came to an outcome."""
    trace: TraceView | None
    predictions: Sequence[Prediction]
    deaths: Sequence[Deaths]
    companions: Sequence[Companion]
    reproduce: str
    """The command line that reproduces it."""


@dataclass(frozen=True, slots=True)
class Period:
    """A week, a day or a commit on the time axis: how its jobs ended."""

    label: str
    jobs: int
    lost: int
    """Red because of flaky tests alone."""
    broken: int
    """Red because of at least one test that is not flaky."""
    lost_s: float
    flaky_failures: int
    flaky_attempts: int
    """Attempts of tests that are flaky, without those that were skipped."""

    @property
    def flake_rate(self) -> float | None:
        """Return the share of attempts of flaky tests that failed; None where there was none."""
        return self.flaky_failures / self.flaky_attempts if self.flaky_attempts else None


@dataclass(frozen=True, slots=True)
class Trend:
    """The time axis of the overview; `unit` is `week`, `day` or `commit`."""

    unit: str
    periods: Sequence[Period]


@dataclass(frozen=True, slots=True)
class Cost:
    """What flakes cost; the definitions are on the page."""

    jobs: int
    red: int
    lost: int
    lost_s: float
    total_s: float
    flaky_failures: int


@dataclass(frozen=True, slots=True)
class MechanismCount:
    """How many flaky tests have a mechanism; None stands for those without one."""

    mechanism: Mechanism | None
    tests: int
    lost_jobs: int


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A test at a commit: how many of its attempts failed."""

    bad: int
    attempts: int
    """Without those that were skipped."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Tests by commits, as far as they fit on a page; a cell is None where the test did not run."""

    commits: Sequence[Commit]
    rows: Sequence[tuple[TestSummary, Sequence[HeatCell | None]]]
    hidden_tests: int
    hidden_commits: int


@dataclass(frozen=True, slots=True)
class OwnerHealth:
    """The tests of one owner."""

    owner: str
    tests: int
    flaky: int
    broken: int
    lost_jobs: int
    lost_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a test; rates are None where it was, or is, not flaky."""

    label: str
    slug: str | None
    before: float | None
    after: float | None
    now: Verdict | None
    """None for a test that is healthy now, or gone."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since an earlier report."""

    until: str
    """Day of the newest run that the earlier report knew."""
    runs: int
    """Jobs that came since."""
    lost: int
    """Jobs lost to flakes alone since."""
    new: Sequence[Change]
    healed: Sequence[Change]
    worse: Sequence[Change]
    better: Sequence[Change]

    @property
    def any(self) -> bool:
        """Whether any test changed."""
        return bool(self.new or self.healed or self.worse or self.better)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is limited to; all runs of all tests where nothing is said."""

    since: datetime | None = None
    branch: str = ""
    owner: str = ""

    @property
    def words(self) -> str:
        """Return the limits in words; empty for none."""
        parts = [f"runs since {self.since.date().isoformat()}"] if self.since else []
        parts += [f"branch {self.branch}"] if self.branch else []
        parts += [f"tests of {self.owner}"] if self.owner else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the first page."""

    project: str
    tests: int
    results: int
    runs: int
    commits: int
    first: datetime | None
    last: datetime | None
    counts: Mapping[Verdict, int]
    cost: Cost
    trend: Trend
    mechanisms: Sequence[MechanismCount]
    flaky: Sequence[TestSummary]
    """Worst first: by lost jobs, then by rate."""
    broken: Sequence[TestSummary]
    unsure: Sequence[TestSummary]
    heat: HeatMap
    owners: Sequence[OwnerHealth]
    """Empty where no file says who owns what."""
    scope: Scope
    warning: str = ""
    """What is wrong with the verdicts, such as that they are older than the newest results."""


@dataclass(frozen=True, slots=True)
class Site:
    """All pages."""

    overview: Overview
    pages: Sequence[TestPage]
    changes: Changes | None = None
    by_mechanism: Mapping[Mechanism, Sequence[TestSummary]] = field(default_factory=dict)
