"""The small process above each group of the backends `subreaper` and `pid-namespace`; run as a script.

It is the child subreaper, so every orphan of the group becomes its child and is reaped at once, and when the process
that asked for the group dies, its end of the control socket closes and the whole group is killed.

Usage: supervisor.py PACKAGE_ROOT CONTROL_FD OPTION… -- ARGV…. Options are those of launch.py and `--pid-namespace`. It
speaks JSON lines on the control socket: it sends `{"started": fields of its stat}` or `{"failed": errno, …}`, then
`{"exited": status}` when the leader ends, and answers each request with one line:
`{"do": "members" | "signal" | "terminate" | "wait"}`.
"""

import json
import os
import select
import signal
import sys
import time
from typing import Any

assert sys.platform == "linux"

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from flakehunter.groupkill import launch
from flakehunter.groupkill.linux.procfs import ProcessStat, children, read_stat, read_zombie_status
from flakehunter.groupkill.linux.sweep import Sweeper, become_subreaper
from flakehunter.groupkill.linux.track import Tracked

EOF_DEADLINE_S = 30.0
STATUS_DEADLINE_S = 1.0


class Supervisor:
    """Starts the command, reaps, and does what it is asked to."""

    def __init__(self, control: int) -> None:
        self.control = control
        self.sweeper = Sweeper()
        self.leader = 0
        self.namespace_init = 0
        self.leader_identity: Any = None
        self.leader_status: int | None = None
        self.allow_reap = self.status_pipe = -1
        self.received = b""
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    # --- starting ----------------------------------------------------------------------------------------------

    def start(self, options: list[str], argv: list[str]) -> bool:
        """Fork and exec the command; tell the other side how that went."""
        receive, send = os.pipe()
        own = [option for option in options if option != "--pid-namespace"]
        try:
            if own != options:
                self.start_in_namespace(receive, send, own, argv)
            else:
                self.leader = fork_command(receive, send, own, argv)
        except OSError as error:
            self.say({"failed": error.errno, "stage": f"{error.filename or 'fork'} {error.strerror}"})
            return False
        os.close(send)
        self.let_go_of_streams()
        with os.fdopen(receive, "rb") as pipe:
            failed = pipe.read().decode("utf-8", "replace")
        stat = self.find_leader_in_namespace() if self.namespace_init else read_stat(self.leader)
        if failed or stat is None:
            self.sweeper.wait(time.monotonic() + EOF_DEADLINE_S)
            number, _, stage = (failed or "0 namespace its first process ended at once").partition(" ")
            self.say({"failed": int(number), "stage": stage})
            return False
        self.leader_identity = stat.identity
        self.say({"started": list(stat)})
        return True

    def start_in_namespace(self, receive: int, send: int, options: list[str], argv: list[str]) -> None:
        """Fork the first process of a new pid namespace, which forks the command."""
        from flakehunter.groupkill.linux.namespace import enter_pid_namespace, run_init

        enter_pid_namespace()
        may_reap, self.allow_reap = os.pipe()
        self.status_pipe, status_write = os.pipe()
        self.namespace_init = os.fork()
        if self.namespace_init == 0:
            os.close(self.control)
            for descriptor in (self.allow_reap, self.status_pipe):
                os.close(descriptor)

            def start() -> int:
                pid = fork_command(receive, send, options, argv)
                os.close(send)
                self.let_go_of_streams()
                return pid

            run_init(start, may_reap, status_write)
        os.close(may_reap)
        os.close(status_write)

    def find_leader_in_namespace(self) -> ProcessStat | None:
        """Learn the pid that the command has out here, before the first process of the namespace may reap it."""
        found = children(self.namespace_init)
        self.leader = found[0] if found else 0
        stat = read_stat(self.leader) if found else None
        self.sweeper.look()
        try:
            os.write(self.allow_reap, b"x")
        except BrokenPipeError:  # the first process is gone, and its namespace with it
            pass
        os.close(self.allow_reap)
        return stat

    def let_go_of_streams(self) -> None:
        """Give up the command's pipes, or their readers would never see the end."""
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.close(null)

    # --- serving -----------------------------------------------------------------------------------------------

    def say(self, message: dict[str, Any]) -> None:
        """Send one line; a vanished reader is noticed by `serve`."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self.control, data) :]
        except BrokenPipeError:
            pass

    def serve(self) -> None:
        """Reap and answer until the other side goes away, then kill what is left."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        if self.status_pipe >= 0:
            poll.register(self.status_pipe, select.POLLIN)
        while True:
            self.reap()
            poll.poll()
            self.drain_wake()
            if self.status_pipe >= 0:
                self.tell_leader_status()
                if self.status_pipe < 0:
                    poll = select.poll()
                    poll.register(self.control, select.POLLIN)
                    poll.register(self.wake, select.POLLIN)
            if self.can_read():
                requests = self.requests()
                if requests is None:
                    break
                for request in requests:
                    self.say(self.answer(request))
        self.terminate({"signal": signal.SIGKILL, "grace_s": 0.0, "deadline_s": EOF_DEADLINE_S})

    def drain_wake(self) -> None:
        """Empty the pipe that SIGCHLD writes to."""
        try:
            while os.read(self.wake, 4096):
                pass
        except BlockingIOError:
            pass

    def can_read(self) -> bool:
        """Whether a request, or the end, has come."""
        return bool(select.select([self.control], [], [], 0)[0])

    def requests(self) -> list[dict[str, Any]] | None:
        """Return the requests that have arrived, or None at the end of the socket."""
        try:
            data = os.read(self.control, 65536)
        except ConnectionResetError:
            return None
        if not data:
            return None
        *lines, self.received = (self.received + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do one request."""
        what = request["do"]
        if what == "terminate":
            return self.terminate(request)
        if what == "signal":
            self.sweeper.look()
            leader = self.sweeper.processes.get(self.leader_identity)
            if not request["leader_only"]:
                self.sweeper.signal_all(request["signal"], groups=self.groups())
            elif leader is not None and leader.lives:
                self.sweeper.signal_one(leader, request["signal"])
        elif what == "wait":
            self.sweeper.wait(time.monotonic() + request["deadline_s"])
        else:
            self.sweeper.look()
            self.sweeper.note_deaths(0)
        return self.report([])

    def reap(self) -> None:
        """Reap all that have ended, and tell of the leader's end."""
        if not self.sweeper.clean:
            self.sweeper.reap()
        self.tell_leader_status()

    def tell_leader_status(self) -> None:
        """Tell the leader's exit status once."""
        tracked = self.sweeper.processes.get(self.leader_identity)
        if self.namespace_init and tracked is not None and tracked.reap_s is None:
            self.take_status_from_namespace(tracked)
        if self.leader_status is None and tracked is not None and tracked.reap_s is not None:
            self.leader_status = tracked.status
            self.say({"exited": tracked.status})

    def take_status_from_namespace(self, tracked: Tracked) -> None:
        """Read the status that the first process of the namespace has seen; after a SIGKILL of it there is none."""
        if self.status_pipe < 0 or not select.select([self.status_pipe], [], [], 0)[0]:
            return
        text = os.read(self.status_pipe, 100)
        os.close(self.status_pipe)
        self.status_pipe = -1
        self.sweeper.mark_reaped(tracked, int(text) if text else -signal.SIGKILL)

    def save_leader_status(self) -> None:
        """Learn how a leader ended that has ended already: soon nobody is left who could tell."""
        tracked = self.sweeper.processes.get(self.leader_identity)
        if tracked is None or tracked.lives or tracked.status is not None:
            return
        tracked.status = read_zombie_status(self.leader)
        if tracked.status is None and self.status_pipe >= 0:  # reaped, so its status is on the way
            select.select([self.status_pipe], [], [], STATUS_DEADLINE_S)
            self.take_status_from_namespace(tracked)

    # --- ending ------------------------------------------------------------------------------------------------

    def groups(self) -> list[int]:
        """Return the leader's process group while its number is certain to be the leader's.

        That is while the leader is unreaped, or while a living member is still in the group: the kernel gives no number
        out again that is in use as a process group.
        """
        if self.leader_status is None:
            return [self.leader]
        return [self.leader] if any(tracked.last.pgid == self.leader for tracked in self.sweeper.living()) else []

    def terminate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Signal, wait for the grace period, kill, wait for ECHILD."""
        sweeper, number = self.sweeper, request["signal"]
        sweeper.restart_clock()
        deadline = sweeper.begin_s + request["deadline_s"]
        escalations: list[tuple[str, float, int]] = []
        sweeper.look()
        if number != signal.SIGKILL:
            sweeper.signal_all(number, groups=self.groups())
            if sweeper.wait(min(sweeper.begin_s + request["grace_s"], deadline)):
                return self.report(escalations)
            escalations.append(("SIGKILL", sweeper.ms(time.monotonic()), len(sweeper.living())))
        self.kill()
        sweeper.wait(deadline, signal_new=signal.SIGKILL)
        return self.report(escalations)

    def kill(self) -> None:
        """Kill at one blow what can be killed so, then each member."""
        if self.namespace_init:  # the kernel kills a whole pid namespace with its first process
            self.sweeper.note_deaths(0)
            self.save_leader_status()
            for tracked in self.sweeper.living():
                if tracked.first.pid == self.namespace_init:
                    self.sweeper.signal_one(tracked, signal.SIGKILL)
                else:
                    self.sweeper.note_signal(tracked, signal.SIGKILL)
        else:
            self.sweeper.signal_all(signal.SIGKILL, groups=self.groups())

    def report(self, escalations: list[tuple[str, float, int]]) -> dict[str, Any]:
        """Return what is known of all members."""
        self.tell_leader_status()
        report = self.sweeper.report()
        return {
            "members": [member._asdict() for member in report.members if member.pid != self.namespace_init],
            "clean": report.clean,
            "elapsed_ms": report.elapsed_ms,
            "errors": report.errors,
            "notes": list(dict.fromkeys(self.sweeper.notes)),
            "escalations": escalations,
        }


def fork_command(receive: int, send: int, options: list[str], argv: list[str]) -> int:
    """Fork the command and return its pid; this process has one thread, so fork is safe."""
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        become_command(send, options, argv)
    return pid


def become_command(control: int, options: list[str], argv: list[str]) -> None:
    """Turn the forked child into the command; never returns."""
    try:
        try:
            launch.set_up(options)
            launch.execute(argv)
        except OSError as error:
            stage = getattr(error, "stage", "exec")
            os.write(control, f"{error.errno} {stage} {error.strerror}".encode())
    finally:
        os._exit(127)


def main() -> None:
    """Do what the module's docstring says."""
    control = int(sys.argv[2])
    os.set_inheritable(control, False)
    end = sys.argv.index("--", 3)
    # Ctrl-C in a terminal reaches this process too; only the one that asked for the group decides what ends.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    become_subreaper()
    supervisor = Supervisor(control)
    if supervisor.start(sys.argv[3:end], sys.argv[end + 1 :]):
        supervisor.serve()


if __name__ == "__main__":
    main()
