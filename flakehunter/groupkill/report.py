"""What a group kill reports: every member, the survivors and why, what was escalated, what went wrong."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from flakehunter.groupkill.records import ProcessStat, SweptProcess, signal_name
from flakehunter.model import SCHEMA_VERSION

__all__ = [
    "Capability",
    "Escalation",
    "KillReport",
    "Member",
    "deadline_passed",
    "describe_survivors",
    "signal_name",
]

WHY = {
    "D": "in an uninterruptible wait in the kernel: it ends when the wait does",
    "T": "stopped, and not killed",
    "t": "held by a tracer",
    "Z": "dead, and not reaped by its parent",
    "R": "running",
    "S": "sleeping",
    "I": "idle",
}


@dataclass(frozen=True, slots=True)
class Capability:
    """What a backend can do on this machine; `probe()` finds out by a dry run."""

    usable: bool
    reason: str
    """Why it can be used, or why not and what to do about it."""
    needs_privilege: bool
    """Whether it needs root or a delegated cgroup."""
    can_escape: bool
    """Whether a member can leave the group and so survive."""
    sees_all_members: bool
    """Whether the backend's own mechanism knows every member."""


@dataclass(frozen=True, slots=True)
class Member:
    """What became of one member; times in milliseconds since `terminate` began, None when it did not happen."""

    pid: int
    start_ticks: int | None
    """With the pid its identity: start time, in clock ticks since boot on Linux, 100 ns since 1601 on Windows."""
    ppid: int | None
    pgid: int | None
    sid: int | None
    argv: tuple[str, ...]
    signals: tuple[tuple[str, float], ...]
    """(signal or call, ms) of each that reached it by itself or by its group."""
    exit_ms: float | None
    reap_ms: float | None
    """When it was found to have left the process table."""
    status: int | None
    """As Popen.returncode; None when another process reaped it."""
    state: str
    """R, S, D, T, t, Z; empty when it is gone."""
    escaped: str
    """How it left the group (`setsid`, `setpgid`, `double fork`, ...); empty when it did not."""
    error: str
    """What the system said when it could not be signalled: EPERM, or ESRCH when it was just gone."""

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.exit_ms is None

    @property
    def why(self) -> str:
        """Say why it is still in the process table; empty when it is not."""
        if not self.state:
            return ""
        parts = [
            self.escaped and f"left the group by {self.escaped}",
            self.error and f"could not be signalled: {self.error}",
        ]
        if self.is_alive and not self.signals and not self.error:
            parts.append("was never signalled")
        parts.append(WHY.get(self.state, ""))
        return "; ".join(part for part in parts if part)

    @classmethod
    def of(cls, swept: SweptProcess, leader: ProcessStat) -> "Member":
        """Build from what a tracker knows; `leader` is the leader of the group when it was started."""
        return cls(**swept._asdict(), escaped=how_it_left(swept, leader))


@dataclass(frozen=True, slots=True)
class Escalation:
    """A harder means that was needed: `how` (SIGKILL, cgroup.kill, ...), when, and for how many members."""

    how: str
    at_ms: float
    living: int


@dataclass(frozen=True, slots=True)
class KillReport:
    """The end of a group; `clean` is the answer to "is everything gone?"."""

    backend: str
    argv: tuple[str, ...]
    members: tuple[Member, ...]
    escalations: tuple[Escalation, ...]
    errors: tuple[str, ...]
    """What the system refused and what timed out, beside the members' own errors."""
    notes: tuple[str, ...]
    """What is worth knowing and no error: ESRCH for a process group that had ended by itself, ..."""
    elapsed_ms: float
    timed_out: bool
    """Whether the deadline passed before the backend found its group empty."""
    verified_by: str
    """How the end was verified beside the backend's own bookkeeping; empty when it could not be."""
    pid_table_clean: bool = field(default=False)
    """Whether no member is in the process table any more, not even as a zombie."""

    @property
    def survivors(self) -> tuple[Member, ...]:
        """Return the members that still run."""
        return tuple(member for member in self.members if member.is_alive)

    @property
    def unreaped(self) -> tuple[Member, ...]:
        """Return the members that are dead but still in the process table: zombies."""
        return tuple(member for member in self.members if not member.is_alive and member.state)

    @property
    def escapees(self) -> tuple[Member, ...]:
        """Return the members that left the group, ended or not."""
        return tuple(member for member in self.members if member.escaped)

    @property
    def clean(self) -> bool:
        """Whether every member that anybody saw has ended, in time; zombies count as ended."""
        return not self.survivors and not self.timed_out

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document: the fields, `clean`, and per member `alive` and `why`."""
        document = {"schema_version": SCHEMA_VERSION, "clean": self.clean, **asdict(self)}
        document["members"] = [
            {**asdict(member), "alive": member.is_alive, "why": member.why} for member in self.members
        ]
        document["survivors"] = [member.pid for member in self.survivors]
        return document


def how_it_left(swept: SweptProcess, leader: ProcessStat) -> str:
    """Say how a process left the leader's process group; empty when it did not.

    A daemon forks once more after setsid, so it is in a session whose leader is another process.
    """
    if swept.pgid == leader.pgid:
        return ""
    if swept.sid == leader.sid:
        return "setpgid"
    return "setsid" if swept.sid == swept.pid else "setsid and double fork"


def deadline_passed(elapsed_ms: float) -> str:
    """Return the report's line for a group that was not empty in time."""
    return f"deadline passed after {elapsed_ms:.0f} ms with members left"


def describe_survivors(members: Iterable[Member]) -> list[str]:
    """Return one line for each member, for people: pid, state, command, and why it is still there."""
    return [f"pid {member.pid} ({member.state}) {' '.join(member.argv)}: {member.why}" for member in members]
