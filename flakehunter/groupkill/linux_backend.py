"""What the Linux backends share: starting the command with its marks, and the dry run that is their probe."""

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike

from flakehunter.errors import FlakehunterError
from flakehunter.groupkill.arguments import check_argv
from flakehunter.groupkill.backend import ProcessGroup, Stream
from flakehunter.groupkill.linux_group import LinuxProcessGroup, Reach
from flakehunter.groupkill.marks import Mark, new_mark
from flakehunter.groupkill.report import Capability
from flakehunter.groupkill.start import start

__all__ = ["LinuxBackend", "dry_run"]

DRY_RUN = ("/bin/sh", "-c", "sleep 60 & echo up; wait")
DRY_RUN_DEADLINE_S = 10.0


def dry_run(spawn: "SpawnsGroups", argv: Sequence[str] = DRY_RUN) -> str:
    """Start two processes and end them; returns what went wrong, empty when nothing did."""
    try:
        with spawn.spawn(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as group:
            assert group.stdout is not None
            if not group.stdout.readline():
                return "a dry run did not start its command"
            report = group.terminate(signal.SIGKILL, deadline_s=DRY_RUN_DEADLINE_S)
    except FlakehunterError as error:
        return error.message
    except OSError as error:
        return f"a dry run failed: {error}"
    if not report.clean:
        return f"a dry run left {len(report.survivors)} of {len(report.members)} processes: {'; '.join(report.errors)}"
    return ""


class SpawnsGroups(ABC):
    """Anything with the `spawn` of GroupKillBackend."""

    name: str

    @abstractmethod
    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pty: bool = False,
        text: bool = False,
    ) -> ProcessGroup:
        """Start a command in a group; see GroupKillBackend."""


class LinuxBackend(SpawnsGroups):
    """A backend whose command is our child; a subclass says how it is started and how its members are reached."""

    needs_privilege = False
    can_escape = True
    sees_all_members = False
    works = "a dry run ended its processes"
    dry_run_argv: tuple[str, ...] = DRY_RUN

    def requirement(self) -> str:
        """Say what is missing before a dry run is worth while; empty when nothing is."""
        return ""

    def probe(self) -> Capability:
        """Say whether the backend works here, after a dry run."""
        missing = "" if sys.platform == "linux" else "Linux only"
        reason = missing or self.requirement() or dry_run(self, self.dry_run_argv)
        return Capability(
            not reason, reason or self.works, self.needs_privilege, self.can_escape, self.sees_all_members
        )

    @abstractmethod
    def options(self, name: str) -> list[str]:
        """Return the options of launch.py that contain the command; `name` is unique to the group."""

    @abstractmethod
    def reach(self, leader: int, mark: Mark) -> Reach:
        """Return the way to the members."""

    def discard(self, name: str) -> None:
        """Undo `options` when the command could not be started."""

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pty: bool = False,
        text: bool = False,
    ) -> ProcessGroup:
        """Start a command in a group; see GroupKillBackend."""
        command = check_argv(argv)
        mark = new_mark()
        options = [*self.options(mark.cookie)]
        if pty:
            # A terminal belongs to a session, so the command needs one of its own whatever the backend.
            options = [option for option in options if not option.startswith("--new")] + ["--new=session", "--ctty"]
        if mark.resource is not None:
            options.append(f"--mark={mark.resource}:{mark.number}")
        environment = mark.environment(dict(os.environ if env is None else env))
        try:
            popen, master = start(
                command,
                options,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=environment,
                pty=pty,
                text=text,
            )
        except BaseException:
            self.discard(mark.cookie)
            raise
        return LinuxProcessGroup(self.name, command, popen, master, self.reach(popen.pid, mark), mark)
