"""What all backends share: `spawn`, and a probe that is a dry run; a subclass says how a command is started."""

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Unpack

from flakehunter.errors import FlakehunterError
from flakehunter.groupkill.backend import ProcessGroup
from flakehunter.groupkill.command import Command, SpawnOptions
from flakehunter.groupkill.report import Capability, KillReport

__all__ = ["KILL", "Backend"]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that leaves no grace; Windows has one way to end a process, whatever the number."""

DRY_RUN_DEADLINE_S = 10.0


class Backend(ABC):
    """A group-kill backend: a subclass has a name, what its probe says of it, and `start`."""

    name: str
    needs_privilege = False
    can_escape = True
    sees_all_members = False
    works = "a dry run ended its processes"
    """What the probe says when the dry run went well, with what to know about the backend."""
    dry_run_argv: tuple[str, ...] = ("/bin/sh", "-c", "sleep 60 & echo up; wait")
    """What the dry run starts: it prints a line once it stands, and does not end by itself."""

    @abstractmethod
    def start(self, command: Command) -> ProcessGroup:
        """Start a command that was checked; the errors are those of GroupKillBackend.spawn."""

    def spawn(self, argv: Sequence[str], **options: Unpack[SpawnOptions]) -> ProcessGroup:
        """Start a command inside a group of its own; see GroupKillBackend."""
        return self.start(Command.of(argv, **options))

    def requirement(self) -> str:
        """Say what is missing before a dry run is worth while; empty when nothing is."""
        return ""

    def probe(self) -> Capability:
        """Say whether the backend works here, after a dry run."""
        reason = self.requirement() or self._dry_run()
        return Capability(
            not reason, reason or self.works, self.needs_privilege, self.can_escape, self.sees_all_members
        )

    def _dry_run(self) -> str:
        """Start the command of the dry run and end it; returns what went wrong, empty when nothing did."""
        try:
            with self.spawn(self.dry_run_argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as group:
                assert group.stdout is not None
                said = group.stdout.readline()
                if not said:
                    return "a dry run did not start its command"
                report = group.terminate(KILL, grace_s=0, deadline_s=DRY_RUN_DEADLINE_S)
                return self.judge(report, said)
        except FlakehunterError as error:
            return error.message
        except (OSError, subprocess.SubprocessError) as error:
            return f"a dry run failed: {error}"

    def judge(self, report: KillReport, said: bytes) -> str:
        """Say what went wrong in the dry run, of which `said` is the first line; empty when nothing did."""
        if report.clean:
            return ""
        return f"a dry run left {len(report.survivors)} of {len(report.members)} processes: {'; '.join(report.errors)}"
