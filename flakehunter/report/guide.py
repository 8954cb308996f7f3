"""What each mechanism is and how it is fixed, in words and code: the text of the mechanism pages."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flakehunter.model import Mechanism


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fix in one language."""

    language: str
    code: str
    grammar: str
    """The name that `scan` and highlighters know the language by; empty for what is no program."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to mend a mechanism, in every language where it makes sense."""

    says: str
    snippets: Sequence[Snippet]


def read_fixes(*names: str) -> tuple[Fix, ...]:
    """Return the fixes of the files fixes/NAME.toml."""
    return tuple(_read(Path(__file__).with_name("fixes") / f"{name}.toml") for name in names)


def _read(path: Path) -> Fix:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    snippets = [Snippet(item["language"], item["code"].rstrip("\n"), item["grammar"]) for item in document["snippet"]]
    return Fix(document["says"], snippets)


@dataclass(frozen=True, slots=True)
class Guide:
    """One mechanism, explained."""

    title: str
    short: str
    """What the test does wrong, as the end of a sentence that begins with "because"."""
    what: str
    why: str
    signs: Sequence[str]
    fix: str
    """The advice in one or two sentences, also shown on the pages of the tests."""
    fixes: Sequence[Fix]


GUIDES: Mapping[Mechanism, Guide] = {
    Mechanism.CHECK_BEFORE_EXIT: Guide(
        title="Looks before the exit",
        short="it looks whether a process is gone right after the signal was sent",
        what="The test sends a signal (or has it sent) and looks at once, and only once, whether the process is gone.",
        why=(
            "kill() returns when the signal is queued, not when it has done its work. The target still has to be "
            "scheduled, to run its handler or its exit, and to be reaped by its parent. On an idle machine all that is "
            "over in an instant, "
            "and the look comes second; on a loaded one the look comes first."
        ),
        signs=(
            "“expected true to be false” right after an abort, a kill or a close",
            "fails on busy runners and passes when it is run again",
            "kill(pid, 0), os.kill(pid, 0) or process.kill(pid, 0) on the line after the one that signals",
        ),
        fix=(
            "Look again until a deadline, with a short pause between looks, or wait on the process itself "
            "(waitpid, Popen.wait, the 'exit' event, a pidfd). Log each look, so that the next failure explains itself."
        ),
        fixes=read_fixes("wait", "poll"),
    ),
    Mechanism.ZOMBIE_COUNTED_ALIVE: Guide(
        title="Takes a zombie for alive",
        short="it counts a process that is dead but not yet reaped as alive",
        what=(
            "The process has ended, but its parent has not waited for it. kill(pid, 0) succeeds, /proc/PID exists and "
            "ps lists it, so the test calls it alive."
        ),
        why=(
            "A dead process stays in the table until its parent reads its exit status. An orphan falls to PID 1 or to "
            "a subreaper, and in a container PID 1 is often a program that reaps late or never."
        ),
        signs=(
            "state Z in ps or /proc/PID/stat, “<defunct>” in the log",
            "fails in containers without an init and passes on a developer's machine",
            "the process is never gone, however long the test polls",
        ),
        fix=(
            "Wait for the process as its parent, or as subreaper for orphans. Where that cannot be, treat state Z as "
            "gone. Run containers with an init (docker run --init)."
        ),
        fixes=read_fixes("zombie", "wait"),
    ),
    Mechanism.FIXED_SLEEP: Guide(
        title="Sleeps instead of waiting",
        short="a fixed pause stands where it should wait for something",
        what="The test sleeps for a constant time and then assumes that something has happened.",
        why=(
            "No constant is right: on a loaded machine the thing takes longer than the pause, on an idle one the "
            "pause is wasted in every run."
        ),
        signs=(
            "sleep, setTimeout or Thread.sleep with a number before an assertion",
            "the duration of every pass is just above a round number",
        ),
        fix="Replace the pause by a loop that looks until the thing has happened, with a deadline that is generous.",
        fixes=read_fixes("poll", "ready"),
    ),
    Mechanism.SIGNAL_BEFORE_READY: Guide(
        title="Signals before it is ready",
        short="it signals a process that has not got ready for the signal yet",
        what=(
            "The signal arrives before the child has called exec, set its handler or printed its pid. It then meets "
            "the default action, or is lost, or the test reads no pid."
        ),
        why="Starting a process returns long before the program in it has run its first line.",
        signs=(
            "the child ended by the signal where a clean exit was expected (status -15 or 143)",
            "an empty pid, or “invalid literal for int(): ''”",
            "an interpreter (Python, Node, Java) as the child: it needs tens of milliseconds to set its handlers",
        ),
        fix="Have the child say that it is ready (a line, a file, a descriptor), and wait for that before the signal.",
        fixes=read_fixes("ready"),
    ),
    Mechanism.ASSIGN_AFTER_EXIT: Guide(
        title="Assigns after the exit",
        short="the child can end before it is put into its job or cgroup",
        what=(
            "A child is started first and put into its container (a Job Object, a cgroup) after. A child that has "
            "ended by then cannot be put anywhere, and the call fails."
        ),
        why=(
            "Between the start and the assignment the child runs freely. A short command on a fast machine, or a "
            "parent that is descheduled, is enough. On Windows AssignProcessToJobObject then fails with “Access is "
            "denied” (5)."
        ),
        signs=(
            "“Access is denied”, error 5, from AssignProcessToJobObject",
            "“No such process” on a write to cgroup.procs",
            "only commands that end at once are hit",
        ),
        fix=(
            "Create the child inside its container, or suspended, and let it run after the assignment. Otherwise ask "
            "its handle first whether it has ended, and also catch the error, since it can end between the two calls."
        ),
        fixes=read_fixes("assign"),
    ),
    Mechanism.SURVIVOR: Guide(
        title="Leaves a survivor",
        short="a process left the group, or was never signalled, and lives on",
        what="The group is killed, but a member had left it (setsid, a double fork) or was never in it, and survives.",
        why="A process group is a habit, not a fence: every member may leave it, and daemons do.",
        signs=(
            "the same pid is alive in every failure, for as long as the machine runs",
            "later tests find ports, files or processes of earlier ones",
        ),
        fix=(
            "Kill with something that cannot be left: a cgroup (cgroup.kill), a Job Object, a PID namespace, or a "
            "subreaper that ends every descendant. Then wait until all are gone."
        ),
        fixes=read_fixes("survivor"),
    ),
    Mechanism.RESOURCE_STILL_HELD: Guide(
        title="Resource still held",
        short="it uses a port, a file or a lock again before its holder has let go",
        what="A port, lock file, pid file, pipe or folder is used again while its last holder is still ending.",
        why=(
            "The kernel releases what a process holds when it exits, not when it is signalled; and TIME_WAIT keeps a "
            "port busy even after that."
        ),
        signs=(
            "“Address already in use” (EADDRINUSE), “Text file busy”, “Resource temporarily unavailable”",
            "on Windows: “being used by another process” (32), or a temporary folder that cannot be removed",
        ),
        fix=(
            "Wait for the holder's exit before the resource is used again; better, do not share it: bind port 0 and "
            "ask which one it became, give each test its own folder."
        ),
        fixes=read_fixes("wait", "port"),
    ),
    Mechanism.DEADLINE_TOO_SHORT: Guide(
        title="Deadline too short",
        short="it does wait, but for less than a loaded machine needs",
        what="The test polls or waits as it should, but its deadline is near what an idle machine needs.",
        why=(
            "Time to death has a long tail: on a machine with more work than cores, a process can wait seconds for "
            "its turn. A deadline a few times the median is inside that tail."
        ),
        signs=(
            "“timed out after …”, and the duration of each failure is the deadline",
            "passes come close to the deadline",
        ),
        fix=(
            "Measure the time to death under stress and set the deadline to many times its tail. A long deadline "
            "costs nothing when the test passes."
        ),
        fixes=read_fixes("deadline"),
    ),
}

UNKNOWN_FIX = (
    "The evidence names no mechanism yet. Reproduce the failure with the command below, and run "
    "`flakehunter detect` again: a reproduction and the failures it brings are the strongest evidence there is."
)
"""What to do about a flaky test without a mechanism."""
