"""What the Linux backends share whose command is our own child: it is started with its marks, and reached somehow."""

import sys

assert sys.platform == "linux"

import os
from abc import abstractmethod
from dataclasses import replace

from flakehunter.groupkill.backend import ProcessGroup
from flakehunter.groupkill.base import Backend
from flakehunter.groupkill.command import Command
from flakehunter.groupkill.linux.group import LinuxProcessGroup
from flakehunter.groupkill.linux.marks import Mark, new_mark
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.start import abandon, start, with_terminal

__all__ = ["LinuxBackend"]


class LinuxBackend(Backend):
    """A subclass says how the command is contained (`options`) and how its members are reached (`reach`)."""

    @abstractmethod
    def reach(self, leader: int, mark: Mark) -> Reach:
        """Return the way to the members; `mark.cookie` is the name that `options` got."""

    def options(self, name: str) -> list[str]:
        """Return the options of launch.py that contain the command; `name` is unique to the group.

        As it stands: the command leads a new process group from before its exec, so that there is no race between
        setpgid and its first fork.
        """
        return ["--new=group"]

    def inside(self) -> list[str]:
        """Return the program that starts the command in our place; see `start`."""
        return []

    def discard(self, name: str) -> None:
        """Undo `options` when the command could not be started."""

    def start(self, command: Command) -> ProcessGroup:
        """Start a command with the marks of its group."""
        mark = new_mark()
        environment = mark.environment(dict(os.environ if command.env is None else command.env))
        try:
            options = with_terminal(self.options(mark.cookie), command)
            if mark.resource is not None:
                options = [*options, f"--mark={mark.resource}:{mark.number}"]
            popen, master = start(replace(command, env=environment), options, inside=self.inside())
        except BaseException:
            self.discard(mark.cookie)
            raise
        try:
            reach = self.reach(popen.pid, mark)
        except BaseException:
            abandon(popen, master)
            raise
        return LinuxProcessGroup(self.name, command.argv, popen, master, reach, mark)
