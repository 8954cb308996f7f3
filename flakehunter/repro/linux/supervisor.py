"""One trial's supervisor: starts the command below a child subreaper, watches it, ends what is left, reports everybody.

Standard library, procfs and sweep of groupkill/linux/ only: it is forked by a nursery (see nursery.py) that may run in
the test project's interpreter. The supervisor leads a session of its own. The command runs in that session, in a
process group of its own; loads run beside it, each in a session of its own.

A command that knows when its test runs (a warm pytest) says so through a socket whose number is `window` in the spec:
`1` before and `0` after, each answered by a byte. With `loads_wait` the loads (loads.py) are stopped outside of it.

The control socket is the lifeline: when its other end is closed, however the harness died, the trial is ended.
"""

import sys

assert sys.platform == "linux"

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from flakehunter.groupkill.linux.procfs import ProcessId, ProcessStat, children, descendants, read_argv, read_stat
from flakehunter.groupkill.linux.sweep import SweepReport, become_subreaper, die_with_parent, sweep
from flakehunter.repro.linux.attendant import Attendant
from flakehunter.repro.linux.loads import start_loads
from flakehunter.repro.linux.quota import Quota, make_quota

__all__ = ["ARGV_LIMIT", "Supervisor", "begin_trial", "exec_command"]

SWEEP_DEADLINE_S = 5.0
WAKING = (signal.SIGCHLD, signal.SIGIO)
POLITE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
EXEC_FAILED = 127
ARGV_LIMIT = 4096
"""Bytes of a command line that the report keeps."""


class Seen:
    """One process of the trial, as far as a subreaper without a tracer gets to see it."""

    __slots__ = ("argv", "exit_s", "first", "reap_due_s", "reap_s", "state", "status")

    def __init__(self, first: ProcessStat) -> None:
        self.first = first
        self.argv = read_argv(first.pid) or (f"[{first.comm}]",)
        self.state = ""
        """State when the test ended; empty when it was gone by then."""
        self.status: int | None = None
        self.exit_s: float | None = None
        self.reap_s: float | None = None
        self.reap_due_s: float | None = None


class Supervisor:
    """Watches one trial from outside; `spec` is the JSON object that trial.py sends, see TrialSpec there."""

    def __init__(
        self,
        control: socket.socket,
        window: socket.socket,
        spec: Mapping[str, Any],
        root: int,
        loads: tuple[int, ...],
    ) -> None:
        self.control = control
        self.window = window
        self.spec = spec
        self.root = root
        self.loads = loads
        self.attendant = Attendant(spec, root, loads)
        self.seen: dict[ProcessId, Seen] = {}
        self.begin_s = time.monotonic()
        self.end_s = 0.0
        self.status: int | None = None
        self.hung = False
        self.aborted = False
        reap_delay_ms = spec.get("reap_delay_ms")
        self.reap_delay_s = 0.0 if reap_delay_ms is None else float(reap_delay_ms) / 1000

    def watch(self) -> None:
        """Reap orphans (at once or late) until the command ends, the time limit passes or the harness is gone."""
        deadline = self.begin_s + float(self.spec["time_limit_s"])
        while not self._look_at_children():
            now = time.monotonic()
            self.hung = now >= deadline
            if self.hung or not self._listen():
                break
            self.attendant.look()
            due = [seen.reap_due_s for seen in self.seen.values() if seen.reap_due_s is not None]
            # A signal handler, a wake-up pipe and poll() would do as well, but each step lets an orphan stay a zombie
            # for longer, and tests look at zombies.
            signal.sigtimedwait(WAKING, max(0.0, min([deadline, self.attendant.due_s, *due]) - now))
        self.end_s = time.monotonic()

    def _listen(self) -> bool:
        """Open or close the window when the command says so; return whether the harness is still there."""
        word = _take(self.window)
        if word:
            self.attendant.window(opened=word == b"1")
            self.window.sendall(word)
        # Nothing is ever sent after the spec, so what can be read is the end of the lifeline.
        self.aborted = _take(self.control) == b""
        return not self.aborted

    def _look_at_children(self) -> bool:
        """Note who has ended, reap who is due; return whether the command itself has ended (it stays a zombie)."""
        if self.reap_delay_s:
            return self._reap_late()
        while (info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if info.si_pid == self.root:
                return True
            stat = read_stat(info.si_pid)
            os.waitid(os.P_PID, info.si_pid, os.WEXITED)
            if stat is not None:
                seen = self._meet(stat)
                seen.exit_s = seen.reap_s = time.monotonic()
                seen.status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        return False

    def _reap_late(self) -> bool:
        # waitid() with WNOWAIT names one zombie again and again, so with several waiting they come from /proc.
        now = time.monotonic()
        ended = False
        for stat in [read_stat(pid) for pid in children(os.getpid())]:
            if stat is None or not stat.is_dead:
                continue
            if stat.pid == self.root:
                ended = True
                continue
            seen = self._meet(stat)
            if seen.reap_due_s is None:
                seen.exit_s, seen.reap_due_s = now, now + self.reap_delay_s
            elif now >= seen.reap_due_s:
                info = os.waitid(os.P_PID, stat.pid, os.WEXITED)
                seen.reap_s, seen.reap_due_s = time.monotonic(), None
                if info is not None:
                    seen.status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        return ended

    def _meet(self, stat: ProcessStat) -> Seen:
        seen = self.seen.get(stat.identity)
        if seen is None:
            seen = self.seen[stat.identity] = Seen(stat)
        return seen

    def finish(self) -> dict[str, Any]:
        """Note the state of everybody, end what is left, and return the report; the loads go first."""
        self.end_loads()
        for stat in descendants(os.getpid()):
            if stat.pid != self.root:
                self._meet(stat).state = stat.state
        root = read_stat(self.root)
        if root is not None:
            command = self._meet(root)
            command.state = root.state
            command.argv = tuple(str(word) for word in self.spec["argv"])  # a zombie has none, a forked pytest another
        # The command's group first and at one blow; its leader has not been reaped, so the number is still its own.
        swept = sweep(groups=[self.root], deadline_s=SWEEP_DEADLINE_S)
        return self._report(swept, time.monotonic() - swept.elapsed_ms / 1000)

    def end_loads(self) -> None:
        """Kill the loads with all that they have started, and reap them."""
        for load in self.loads:
            family = (load, *(stat.pid for stat in descendants(load)))
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for pid in family:  # parents first: with them gone, their children are this subreaper's
                try:
                    os.waitpid(pid, 0)
                except ChildProcessError:
                    continue
        self.loads = ()

    def _report(self, swept: SweepReport, sweep_s: float) -> dict[str, Any]:
        late = (sweep_s - self.end_s) * 1000
        ended = {member.identity: member for member in swept.members}
        for identity, member in ended.items():
            if identity not in self.seen:  # forked while the others were being ended
                self.seen[identity] = Seen(
                    ProcessStat(member.pid, "R", member.ppid, member.pgid, member.sid, 1, member.start_ticks, "")
                )
                self.seen[identity].argv, self.seen[identity].state = member.argv, "R"
        rows = []
        # Ticks are 10 ms, within one the pid decides; the command itself always comes first.
        order = sorted(self.seen.items(), key=lambda item: (item[0].pid != self.root, item[0].start_ticks, item[0].pid))
        for index, (identity, seen) in enumerate(order, 1):
            found = ended.get(identity)
            status = seen.status if found is None or found.status is None else found.status
            if identity.pid == self.root:
                self.status = status
            rows.append(
                {
                    "index": index,
                    "pid": identity.pid,
                    "start_ticks": identity.start_ticks,
                    "ppid": seen.first.ppid,
                    "pgid": seen.first.pgid,
                    "sid": seen.first.sid,
                    "argv": " ".join(seen.argv)[:ARGV_LIMIT],
                    "state": seen.state,
                    "survived": identity.pid != self.root and seen.state not in ("", "Z", "X"),
                    "exit_status": status,
                    "exit_ms": None if found is None or found.exit_ms is None else round(found.exit_ms + late, 3),
                    "reap_ms": None if found is None or found.reap_ms is None else round(found.reap_ms + late, 3),
                    "left": found is not None and found.reap_ms is None,
                }
            )
        return {
            "status": None if self.hung or self.aborted else self.status,
            "hung": self.hung,
            "aborted": self.aborted,
            "window_opened": self.attendant.was_open,
            "duration_s": round(self.end_s - self.begin_s, 6),
            "processes": rows,
            "clean": swept.clean,
            "errors": list(swept.errors),
        }


def begin_trial(control: socket.socket) -> dict[str, Any]:
    """Turn this freshly forked process into a supervisor; returns, in the trial's root process only, the spec.

    The supervisor itself never returns from here: it watches, reports over `control` and exits.
    """
    spec: dict[str, Any] = json.loads(_read_line(control))
    become_subreaper()
    os.setsid()
    for name in POLITE:
        # Whoever ends the supervisor politely wants the trial to end: it must not be left behind.
        signal.signal(name, lambda number, _frame: os._exit(_end_everything(128 + number)))
    signal.pthread_sigmask(signal.SIG_SETMASK, WAKING)
    supervisor = os.getpid()
    try:
        quota = make_quota(spec["quota_percent"]) if spec["quota_percent"] else None
        loads = start_loads(spec, POLITE)
    except OSError as error:
        _say_broken(control, error)
        os._exit(_end_everything(70))
    gate_reader, gate_writer = os.pipe2(os.O_CLOEXEC)
    ours, theirs = socket.socketpair()
    root = os.fork()
    if root:
        os.setpgid(root, root)
        os.close(gate_reader)
        theirs.close()
        for stream in (control, ours):
            fcntl.fcntl(stream, fcntl.F_SETOWN, supervisor)
            fcntl.fcntl(stream, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        _supervise(control, ours, spec, root, loads, gate_writer, quota)
    die_with_parent(signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    os.close(gate_writer)
    ours.close()
    control.close()
    _enter_trial(spec, gate_reader)
    if quota is not None:
        quota.join()
    spec["window"] = theirs.detach()
    return spec


def _supervise(
    control: socket.socket,
    window: socket.socket,
    spec: Mapping[str, Any],
    root: int,
    loads: tuple[int, ...],
    gate: int,
    quota: Quota | None,
) -> NoReturn:
    code = 0
    try:
        watcher = _watcher(spec)(control, window, spec, root, loads)
        os.close(gate)  # now the command may start
        watcher.watch()
        report = watcher.finish()
        if quota is not None:
            report["errors"] += quota.remove()
        control.setblocking(True)
        control.sendall(json.dumps(report).encode() + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody is left to report to
    except BaseException as error:
        os.kill(root, signal.SIGKILL)
        code = _end_everything(70)
        if quota is not None:
            quota.remove()
        _say_broken(control, error)
    os._exit(code)


def _say_broken(control: socket.socket, error: BaseException) -> None:
    control.setblocking(True)
    control.sendall(json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode() + b"\n")


def _watcher(spec: Mapping[str, Any]) -> "type[Supervisor]":
    if not spec["trace"]:
        return Supervisor
    from flakehunter.repro.linux.tracer import Tracer  # only where it is asked for: it loads the C library's ptrace

    return Tracer


def _end_everything(code: int) -> int:
    sweep(deadline_s=SWEEP_DEADLINE_S)
    return code


def _enter_trial(spec: Mapping[str, Any], gate: int) -> None:
    """Make this process look as if a CI step had started it: signals, group, folder, output, environment."""
    os.setpgid(0, 0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # 32 and 33 belong to the C library
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if spec["one_cpu"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.read(gate, 1)
    os.close(gate)
    os.chdir(spec["cwd"])
    null = os.open(os.devnull, os.O_RDONLY)
    output = os.open(spec["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)


def exec_command(spec: Mapping[str, Any]) -> NoReturn:
    """Replace this process with the command of `spec`."""
    argv = [str(word) for word in spec["argv"]]
    try:
        os.execvpe(argv[0], argv, {str(key): str(value) for key, value in spec["env"].items()})
    except OSError as error:
        print(f"flakehunter: cannot start {argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(EXEC_FAILED)


def _take(stream: socket.socket) -> bytes | None:
    """Return a byte, nothing at the end of file, None when there is nothing to read yet."""
    try:
        return stream.recv(1)
    except BlockingIOError:
        return None


def _read_line(control: socket.socket) -> bytes:
    parts = b""
    while not parts.endswith(b"\n"):
        part = control.recv(65536)
        if not part:
            os._exit(0)  # the harness died before it said what to do
        parts += part
    return parts
