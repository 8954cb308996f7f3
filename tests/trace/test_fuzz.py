"""The whole of a trace, cut, shuffled or broken anywhere, gives findings or none, and never an error."""

from hypothesis import given, settings
from hypothesis import strategies as st
from sample import V1S, judge, world_of

from flakehunter.trace.reader import read_records
from flakehunter.trace.rules import find_all
from flakehunter.trace.watching import CALLS, ENTERED, RETURNED
from flakehunter.trace.world import World

pids = st.sampled_from([10, 11, 12, 13])
words = st.sampled_from(
    [
        "{pid}",
        "-{pid}",
        "0",
        "NULL",
        "SIGTERM",
        "SIG_0",
        "WNOHANG",
        "P_PIDFD",
        "P_PID",
        "3<pipe:[7]>",
        "4<anon_inode:[pidfd]>",
        "5</sys/fs/cgroup/x/cgroup.procs>",
        "AT_FDCWD</tmp>",
        '"{pid}\\n"',
        '"/proc/{pid}/stat"',
        '"/tmp/a.pid"',
        '"/.flakehunter/test/id=a//t.py:1"',
        '"/.flakehunter/tested/id=a,outcome=failed//t.py:1"',
        '"/.flakehunter/timer/id=1,timeout=0.1/"',
        '"/.flakehunter/fired/id=1/-"',
        "[{{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}}]",
        "{{sa_handler=0x5}}",
        "{{tv_sec=0, tv_nsec=20000000}}",
        "{{sa_family=AF_INET, sin_port=htons(4000)}}",
        "[3<pipe:[7]>, 4<pipe:[7]>]",
        "[{{fd=4, events=POLLIN}}]",
        "O_CREAT|O_EXCL",
        "flags=CLONE_VM|CLONE_THREAD",
        "TIMER_ABSTIME",
        "50",
        "PRIO_PROCESS",
    ]
)
ends = st.sampled_from(
    [
        " <unfinished ...>",
        ") = 0 <0.000100>",
        ") = {pid} <0.020000>",
        ") = -1 ESRCH (No such process) <0.000010>",
        ") = -1 EEXIST (File exists) <0.000010>",
        ") = ? ERESTARTSYS (To be restarted)",
        ") = 1 ([{{fd=4, revents=POLLIN}}]) <0.001>",
        "",
    ]
)
others = st.sampled_from(
    [
        "--- SIGTERM {{si_signo=SIGTERM, si_code=SI_USER, si_pid={pid}, si_uid=0}} ---",
        "--- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid={pid}}} ---",
        "+++ exited with 0 +++",
        "+++ killed by SIGTERM +++",
        "+++ superseded by execve in pid {pid} +++",
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """One line that strace could have printed, or nearly so."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        text = draw(others)
    else:
        name = draw(st.sampled_from(sorted(CALLS)))
        arguments = ", ".join(draw(st.lists(words, max_size=5)))
        end = draw(ends)
        text = f"<... {name} resumed>{arguments}{end}" if kind == 1 else f"{name}({arguments}{end}"
    return f"{draw(pids)}  {{time:.6f}} {text.format(pid=draw(pids))}"


def judge_and_look(text: str) -> None:
    """Judge a trace, and read all that a document would show of it."""
    for finding in judge(text):
        assert finding.text
        assert finding.slack_to_reap_s is None or finding.looked is not None


@settings(max_examples=100)
@given(st.lists(lines(), max_size=60))
def test_any_order_of_any_calls_is_judged_without_an_error(made: list[str]) -> None:
    text = "".join(line.replace("{time:.6f}", f"{100 + number * 0.01:.6f}") + "\n" for number, line in enumerate(made))
    judge_and_look(text)
    world = world_of(text)
    assert all(process.index == place for place, process in enumerate(world.processes))
    assert all(process.exited is None for process in world.living.values())


@settings(max_examples=100)
@given(st.integers(0, len(V1S)))
def test_trace_cut_at_any_byte_is_judged(cut: int) -> None:
    judge_and_look(V1S[:cut])


@settings(max_examples=100)
@given(st.integers(0, len(V1S.splitlines()) - 1), st.integers(0, len(V1S.splitlines()) - 1))
def test_trace_with_lost_and_moved_lines_is_judged(lost: int, moved: int) -> None:
    found = V1S.splitlines(keepends=True)
    line = found[moved]
    del found[lost]
    judge_and_look("".join([*found, line]))


@settings(max_examples=100)
@given(st.integers(0, len(V1S) - 1), st.binary(min_size=1, max_size=3))
def test_trace_with_broken_bytes_is_judged(place: int, damage: bytes) -> None:
    data = V1S.encode()
    world = World(ENTERED, RETURNED)
    world.consume_all(read_records([data[:place] + damage + data[place + len(damage) :]]))
    find_all(world)


def test_program_that_a_thread_executes_takes_the_process_over() -> None:
    """execve(2) of a thread: the other threads vanish, and strace goes on under the id of the process."""
    text = """
10  100.0 execve("/usr/bin/a", ["a"], 0x1) = 0 <0.0001>
10  100.1 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SIGHAND, exit_signal=0}, 88) = 11 <0.0001>
11  100.2 execve("/usr/bin/b", ["b"], 0x1 <pid changed to 10 ...>
10  100.3 +++ superseded by execve in pid 11 +++
10  100.4 <... execve resumed>) = -1 (errno 18446744073709551595) <0.001317>
10  100.5 +++ exited with 3 +++
"""
    [process] = world_of(text).processes
    assert (process.pid, process.argv, process.status) == (10, ("b",), 3)


def test_processes_whose_birth_is_lost_are_there_all_the_same() -> None:
    """strace was detached or its line is gone: two births at a time, and a child that nobody announced."""
    text = """
10  100.0 execve("/usr/bin/a", ["a"], 0x1) = 0 <0.0001>
10  100.1 vfork( <unfinished ...>
12  100.2 execve("/usr/bin/c", ["c"], 0x1) = 0 <0.0001>
77  100.3 kill(12, SIGTERM <detached ...>
12  100.4 +++ killed by SIGTERM +++
"""
    world = world_of(text)
    assert [process.pid for process in world.processes] == [10, 12, 77]
    assert [process.parent.pid if process.parent else None for process in world.processes] == [None, 10, None]
    [sent] = world.sent
    assert (sent.sender.pid, sent.victim.pid) == (77, 12)
