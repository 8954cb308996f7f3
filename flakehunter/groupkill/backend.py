"""The interface of group-kill backends: a protocol to implement, and the group that `spawn` returns."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Protocol, Self, Unpack, runtime_checkable

from flakehunter.errors import UsageError
from flakehunter.groupkill.command import SpawnOptions
from flakehunter.groupkill.report import Capability, KillReport, Member

__all__ = [
    "DEFAULT_DEADLINE_S",
    "DEFAULT_GRACE_S",
    "BackendUnusableError",
    "GroupKillBackend",
    "ProcessGroup",
]

DEFAULT_GRACE_S = 5.0
DEFAULT_DEADLINE_S = 15.0


class BackendUnusableError(UsageError):
    """A backend that was asked for cannot work here; `reason` is what its probe said."""

    slug = "backend"

    def __init__(self, name: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"group-kill backend {name!r} cannot be used here: {reason}", hint=hint)
        self.name = name
        self.reason = reason


class ProcessGroup(ABC):
    """A command and everything it starts; a context manager that leaves nothing behind.

    Leaving the `with` block kills what is left. `stdin`, `stdout` and `stderr` are as in subprocess.Popen; `pty` is the
    master end of the terminal when one was asked for.
    """

    argv: tuple[str, ...]
    backend: str
    stdin: IO[Any] | None
    stdout: IO[Any] | None
    stderr: IO[Any] | None
    pty: int | None

    @property
    @abstractmethod
    def pid(self) -> int:
        """Return the pid of the command itself, the leader of the group."""

    @property
    @abstractmethod
    def returncode(self) -> int | None:
        """Return the exit code of the leader, minus the signal, or None while it runs; as in subprocess."""

    @abstractmethod
    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only and return its exit code.

        Raises:
            TimeoutError: it still runs after `timeout_s` seconds.
        """

    @abstractmethod
    def members(self) -> tuple[Member, ...]:
        """Return the members that run now, as far as the backend can see them."""

    @abstractmethod
    def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send a signal to all members, or to the leader only, and wait for nothing."""

    @abstractmethod
    def terminate(
        self,
        signal_number: int = signal.SIGTERM,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> KillReport:
        """End the group: signal, wait `grace_s`, kill what is left, wait until every member is gone.

        Args:
            signal_number: what to send first; SIGKILL leaves no grace.
            grace_s: seconds that members have to end by themselves after it.
            deadline_s: seconds that the whole call may take; what is left then is reported as a survivor.

        Returns:
            The report. It is returned, not raised, also when there are survivors: look at `report.clean`.
        """

    @abstractmethod
    def wait_gone(self, deadline_s: float) -> bool:
        """Wait without signalling until no member runs any more; False when `deadline_s` seconds were not enough."""

    @abstractmethod
    def close(self) -> KillReport | None:
        """Kill what is left and give back descriptors and containers; returns the last report, if there was one."""

    def communicate(self, data: bytes | str | None = None, timeout_s: float | None = None) -> tuple[Any, Any]:
        """Write `data` to stdin, read stdout and stderr to their end, and wait for the leader.

        Raises:
            PipesHeldError: the pipes are still open after `timeout_s` seconds; it says what was read, and who
                holds them.
        """
        from flakehunter.groupkill.drain import drain

        output = drain(self.stdin, self.stdout, self.stderr, data, timeout_s)
        self.wait(timeout_s)
        return output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


@runtime_checkable
class GroupKillBackend(Protocol):
    """What an entry point of the group `flakehunter.groupkill` names: a class with these, made without arguments."""

    name: str

    def probe(self) -> Capability:
        """Say whether the backend works here, after a dry run; never raises."""

    def spawn(self, argv: Sequence[str], **options: Unpack[SpawnOptions]) -> ProcessGroup:
        """Start a command inside a group of its own; the options are those of `SpawnOptions`, as in subprocess.

        SIGINT, SIGQUIT and SIGPIPE are at their default and no signal is blocked in it.

        Raises:
            StartError: the command could not be started.
            BackendUnusableError: the mechanism does not work here.
        """
