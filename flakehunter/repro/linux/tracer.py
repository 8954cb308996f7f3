"""A supervisor that traces its trial too: it holds single events of single processes, and sees everybody.

A plan is a list of delays in the spec: {"event": start|signal|exit|report, "ms": MS, "who": WHO}; WHO is an index, a
pattern, `depth=N`, or null for all. The process meant is held at that event for that long: `start` before its new
program runs, `signal` before a signal reaches it, `exit` before it ends, `report` before its parent hears of its end.
Order is what makes a race, so delaying one process at one event fails where slowing all of them down hides the bug.
"""

import sys

assert sys.platform == "linux"

import fnmatch
import os
import signal
import socket
import stat
import time
from collections.abc import Mapping
from typing import Any

from flakehunter.groupkill.linux.procfs import ProcessStat, read_argv, read_stat
from flakehunter.groupkill.linux.sweep import sweep
from flakehunter.repro.linux import ptrace
from flakehunter.repro.linux.supervisor import ARGV_LIMIT, SWEEP_DEADLINE_S, WAKING, Supervisor

__all__ = ["Tracer"]

TRACERS = frozenset({"strace", "ltrace", "gdb", "lldb", "rr", "dlv", "uftrace"})
"""Programs that trace their children with ptrace, which a traced process cannot be told to allow twice."""

BY_DEPTH = "depth="

QUIET = (signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG)
"""Signals whose default is to do nothing: a late one says nothing of a kill."""

ENDING = sum(1 << (number - 1) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))
"""As a mask of proc_pid_status(5)."""


class Traced:
    """One process of the trial, from its creation to its end; moments are of time.monotonic()."""

    __slots__ = (
        "announced",
        "argv",
        "code",
        "depth",
        "exec_s",
        "exit_s",
        "held",
        "index",
        "parent",
        "pid",
        "reap_s",
        "signals",
        "spawn_s",
        "stat",
        "state",
        "takes_signals",
        "threads",
    )

    def __init__(self, pid: int, index: int, parent: "Traced | None") -> None:
        self.pid = pid
        self.index = index
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.spawn_s = time.monotonic()
        self.exec_s: float | None = None
        self.exit_s: float | None = None
        self.reap_s: float | None = None
        self.code: int | None = None
        self.argv: tuple[str, ...] = read_argv(pid) or (() if parent is None else parent.argv)
        self.stat = read_stat(pid)
        self.state = ""
        self.signals: list[tuple[str, float, int | None]] = []
        self.threads = {pid}
        self.announced = False
        """Whether it stopped on its way out, which is when it can be held."""
        self.takes_signals = False
        self.held: set[str] = set()
        """Events at which it was held already: each delay happens once."""

    def is_meant(self, who: object) -> bool:
        """Whether a plan's `who` (index, `depth=N`, pattern of name or command line, None for all) means this one."""
        if who is None:
            return True
        if isinstance(who, int):
            return self.index == who
        if str(who).startswith(BY_DEPTH):
            return self.depth == int(str(who).removeprefix(BY_DEPTH))
        name = self.argv[0].rpartition("/")[2] if self.argv else ""
        return fnmatch.fnmatchcase(name, str(who)) or fnmatch.fnmatchcase(" ".join(self.argv), str(who))


class Tracer(Supervisor):
    """Watches one trial as subreaper and ptracer."""

    def __init__(
        self,
        control: socket.socket,
        window: socket.socket,
        spec: Mapping[str, Any],
        root: int,
        loads: tuple[int, ...],
    ) -> None:
        super().__init__(control, window, spec, root, loads)
        self.delays = list(spec["delays"])
        self.reports_late = any(delay["event"] == "report" for delay in self.delays)
        self.processes: list[Traced] = []
        self.warnings: list[str] = []
        self.delay_missed = False
        self.by_tid: dict[int, Traced] = {}
        self.early: dict[int, int] = {}
        """Stops of tracees whose creation was not reported yet, by tid."""
        self.due: dict[int, tuple[float, int]] = {}
        """tid -> (when to let it go on, signal to deliver); signal -1 for a dead one to be reaped."""
        ptrace.seize(root)
        self._born(root, None)
        self.processes[0].argv = tuple(str(word) for word in spec["argv"])

    def watch(self) -> None:
        """Carry out the plan until the command ends, the time limit passes or the harness is gone."""
        deadline = self.begin_s + float(self.spec["time_limit_s"])
        root = self.processes[0]
        while root.reap_s is None:
            self._let_go()
            moved = self._take_stops()
            now = time.monotonic()
            self.hung = now >= deadline
            if self.hung or not self._listen() or root.reap_s is not None:
                break
            self.attendant.look()
            if not moved:
                due = min([deadline, self.attendant.due_s, *(when for when, _ in self.due.values())])
                signal.sigtimedwait(WAKING, max(0.0, due - now))
        self.end_s = time.monotonic()

    # --- stops -------------------------------------------------------------------------------------------------

    def _take_stops(self) -> bool:
        """Handle every stop and end that is there; return whether there was any."""
        moved = False
        # waitpid(-1) would also take the end of a process whose parent has to hear of it late.
        wanted = [tid for tid in self.by_tid if tid not in self.due] if self.reports_late else [-1]
        for tid in wanted:
            while True:
                try:
                    found, status = os.waitpid(tid, os.WNOHANG | ptrace.WALL)
                except ChildProcessError:
                    break
                if found == 0:
                    break
                moved = True
                self._handle(found, status)
                if tid != -1 and (tid in self.due or tid not in self.by_tid):
                    break
                if self.processes[0].reap_s is not None:
                    return True
        return moved

    def _handle(self, tid: int, status: int) -> None:
        process = self.by_tid.get(tid)
        stop = ptrace.take_apart(status)
        if process is None:
            if stop.event == ptrace.EVENT_STOP:
                self.early[tid] = status  # its creator's event comes next
            return
        if stop.event == -1:
            self._ended(tid, process, stop.code)
        elif stop.event in ptrace.NEW_CHILD:
            self._born(ptrace.event_message(tid), process)
            ptrace.go_on(tid)
        elif stop.event == ptrace.EVENT_EXEC:
            self._new_program(tid, process)
        elif stop.event == ptrace.EVENT_EXIT:
            self._ending(tid, process)
        elif stop.event == ptrace.EVENT_STOP:
            (ptrace.stay_stopped if stop.signal in ptrace.GROUP_STOPS else ptrace.go_on)(tid)
        elif stop.event == 0:
            self._signalled(tid, process, stop.signal)
        else:
            ptrace.go_on(tid)

    def _born(self, tid: int, creator: Traced | None) -> None:
        if tid == 0 or tid in self.by_tid:
            return
        group = _thread_group(tid) if creator is not None else tid
        if creator is not None and group in creator.threads and group != tid:
            creator.threads.add(tid)
            self.by_tid[tid] = creator
        else:
            process = Traced(tid, len(self.processes) + 1, creator)
            self.processes.append(process)
            self.by_tid[tid] = process
        if tid in self.early:
            self._handle(tid, self.early.pop(tid))

    def _new_program(self, tid: int, process: Traced) -> None:
        # exec by another thread than the leader: it takes over the leader's id, and all other threads are gone.
        for other in process.threads - {tid}:
            self.by_tid.pop(other, None)
            self.due.pop(other, None)
        process.threads = {tid}
        process.exec_s = time.monotonic()
        process.argv = read_argv(process.pid) or process.argv
        self._warn_of(process)
        self._hold_or_go("start", tid, process, 0)

    def _warn_of(self, process: Traced) -> None:
        """Say of a program that it cannot do its work below a tracer; see "EPERM" and set-user-ID in ptrace(2)."""
        name = process.argv[0].rpartition("/")[2] if process.argv else ""
        if name in TRACERS:
            self.warnings.append(f"{name} cannot trace here: its processes are traced already; use a stressor without")
        try:
            mode = os.stat(f"/proc/{process.pid}/exe").st_mode if os.geteuid() else 0  # noqa: PTH116
        except OSError:
            return
        if mode & stat.S_ISUID:
            self.warnings.append(f"{name} is set-user-ID: below a tracer without privilege it gets none itself")

    def _signalled(self, tid: int, process: Traced, number: int) -> None:
        if number != signal.SIGTRAP or ptrace.sender(tid) is not None:
            process.signals.append((_signal_name(number), time.monotonic(), ptrace.sender(tid)))
        if number in QUIET:
            ptrace.go_on(tid, number)
        else:
            self._hold_or_go("signal", tid, process, number)

    def _ending(self, tid: int, process: Traced) -> None:
        if tid != process.pid:
            ptrace.go_on(tid)
            return
        process.announced = True
        process.takes_signals = not process.signals and bool(int(_status(tid, "SigBlk") or "0", 16) & ENDING)
        process.stat = read_stat(tid) or process.stat
        status = ptrace.event_message(tid)
        if status & 0x7F == signal.SIGKILL:
            process.signals.append(("SIGKILL", time.monotonic(), None))  # never stops for delivery: seen only here
        if not self._hold_or_go("exit", tid, process, 0):
            self._hold_report(tid, process)

    def _ended(self, tid: int, process: Traced, code: int | None) -> None:
        process.threads.discard(tid)
        self.by_tid.pop(tid, None)
        self.due.pop(tid, None)
        if tid == process.pid:
            process.reap_s = time.monotonic()
            process.exit_s = process.exit_s or process.reap_s
            process.code = code
            if not process.announced:
                # SIGKILL came just when it was told to go on, see `ptrace.go_on`: nobody could hold it.
                if code == -signal.SIGKILL:
                    process.signals.append(("SIGKILL", process.reap_s, None))
                self.delay_missed |= self._delay_ms("exit", process) + self._delay_ms("report", process) > 0

    # --- delays ------------------------------------------------------------------------------------------------

    def _delay_ms(self, event: str, process: Traced) -> float:
        wanted = [delay["ms"] for delay in self.delays if delay["event"] == event and process.is_meant(delay["who"])]
        return float(max(wanted, default=0.0))

    def _hold_or_go(self, event: str, tid: int, process: Traced, number: int) -> bool:
        """Hold `tid` where the plan says so, once for each event; else let it go on. Return whether it is held."""
        delay_ms = 0.0 if event in process.held else self._delay_ms(event, process)
        if delay_ms > 0:
            process.held.add(event)
            self.due[tid] = (time.monotonic() + delay_ms / 1000, number)
            return True
        if event == "exit":
            process.exit_s = time.monotonic()
        ptrace.go_on(tid, number)
        return False

    def _hold_report(self, tid: int, process: Traced) -> None:
        delay_ms = self._delay_ms("report", process)
        if delay_ms > 0 and "report" not in process.held:
            process.held.add("report")
            self.due[tid] = (time.monotonic() + delay_ms / 1000, -1)

    def _let_go(self) -> None:
        now = time.monotonic()
        for tid, (when, number) in list(self.due.items()):
            if when > now:
                continue
            del self.due[tid]
            process = self.by_tid[tid]
            if number == -1:
                continue  # from now on its end is waited for again
            ptrace.go_on(tid, number)
            if "exit" in process.held and tid == process.pid:  # the last event there is, so it was that one
                process.exit_s = now
                self._hold_report(tid, process)

    # --- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> dict[str, Any]:
        """Note the state of everybody, end what is left as tracer, and return the report."""
        alive = [process for process in self.processes if process.reap_s is None]
        for process in alive:
            found = read_stat(process.pid)
            process.state = found.state if found is not None else ""
            process.stat = found or process.stat
        held = {self.by_tid[tid].pid for tid in self.due}
        self.end_loads()
        begin = time.monotonic()
        self._kill_tracees(begin + SWEEP_DEADLINE_S)
        swept = sweep(deadline_s=SWEEP_DEADLINE_S)  # what a setuid program or another tracer kept from this one
        untraced = [f"not traced: {' '.join(member.argv)}" for member in swept.members]
        rows = [self._row(process, held) for process in self.processes]
        return {
            "status": None if self.hung or self.aborted else self.processes[0].code,
            "hung": self.hung,
            "aborted": self.aborted,
            "window_opened": self.attendant.was_open,
            "delay_missed": self.delay_missed,
            "duration_s": round(self.end_s - self.begin_s, 6),
            "processes": rows,
            "clean": swept.clean,
            "errors": [*swept.errors, *self.warnings, *untraced],
        }

    def _kill_tracees(self, deadline: float) -> None:
        self.delays, self.reports_late = [], False
        # One that is held on its way out is woken by no signal, SIGKILL included: only by its tracer.
        for tid in [tid for tid, (_, number) in self.due.items() if number != -1] + list(self.early):
            ptrace.go_on(tid)
        self.due.clear()
        while time.monotonic() < deadline:
            for tid in list(self.by_tid):
                try:
                    os.kill(tid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            try:
                found, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
                while found:
                    self._handle(found, status)
                    if os.WIFSTOPPED(status):
                        ptrace.go_on(found)
                    found, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                return
            signal.sigtimedwait(WAKING, 0.01)

    def _row(self, process: Traced, held: set[int]) -> dict[str, Any]:
        last = process.stat or ProcessStat(process.pid, "", 0, 0, 0, 1, 0, "")
        first = process.signals[0][1] if process.signals else self.end_s

        def ms(moment: float | None, origin: float = self.begin_s) -> float | None:
            return None if moment is None else round((moment - origin) * 1000, 3)

        return {
            "index": process.index,
            "pid": process.pid,
            "start_ticks": last.start_ticks,
            "ppid": process.parent.pid if process.parent is not None else os.getpid(),
            "pgid": last.pgid,
            "sid": last.sid,
            "argv": " ".join(process.argv)[:ARGV_LIMIT],
            "state": process.state,
            "survived": process.index > 1 and process.state not in ("", "Z", "X") and process.pid not in held,
            "exit_status": process.code,
            "exit_ms": ms(process.exit_s, first) if process.state or process.signals else None,
            "reap_ms": ms(process.reap_s, first) if process.state or process.signals else None,
            "left": process.reap_s is None,
            "depth": process.depth,
            "parent_index": process.parent.index if process.parent is not None else 0,
            "spawned_at_ms": ms(process.spawn_s),
            "exec_at_ms": ms(process.exec_s),
            "ended_at_ms": ms(process.exit_s),
            "reaped_at_ms": ms(process.reap_s),
            "signals": [[name, ms(moment), by] for name, moment, by in process.signals],
            "takes_signals": process.takes_signals,
        }


def _thread_group(tid: int) -> int:
    return int(_status(tid, "Tgid") or tid)


def _status(tid: int, name: str) -> str:
    """Return a field of /proc/TID/status, see proc_pid_status(5); empty when there is none."""
    try:
        with open(f"/proc/{tid}/status", encoding="utf-8") as file:  # noqa: PTH123
            return next((line.split()[1] for line in file if line.startswith(f"{name}:")), "")
    except OSError:
        return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
