"""The interface of groups, the same on every usable backend."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Windows has its own tests", allow_module_level=True)

from flakehunter import plugins
from flakehunter.errors import UsageError
from flakehunter.groupkill import (
    BackendUnusableError,
    GroupKillBackend,
    ProcessGroup,
    StartError,
    choose,
    probe_all,
    spawn,
    spawn_async,
)
from flakehunter.groupkill.choice import probe
from flakehunter.groupkill.drain import PipesHeldError
from flakehunter.groupkill.linux.procfs import read_stat

# Named and not probed for: each worker has to collect the same tests, whatever a dry run finds at that moment.
FEW = ["cgroup", "subreaper", "process-group", "pid-namespace"]
ALL = [*FEW, "cgroup-v1", "cookie", "naive", "process-tree", "session"]
if Path("/run/systemd/system").is_dir():  # as sd_booted(3)
    ALL.append("systemd-scope")
PIPE = subprocess.PIPE


@pytest.fixture(autouse=True)
def usable_backend(request: pytest.FixtureRequest) -> None:
    """Leave out the tests of a backend that does not work here."""
    backend = request.node.callspec.params.get("backend") if hasattr(request.node, "callspec") else None
    if backend is not None and not probe(backend).usable:
        pytest.skip(probe(backend).reason)


def output_of(group: ProcessGroup) -> str:
    """Read the output of a command that ends by itself."""
    output, _ = group.communicate(timeout_s=30)
    return str(output)


def read_terminal(master: int) -> bytes:
    """Read what a terminal that nobody writes to any more still holds; its end is EIO, see pty(7)."""
    parts = b""
    with contextlib.suppress(OSError):
        while part := os.read(master, 4096):
            parts += part
    return parts


@pytest.mark.parametrize("backend", ALL)
def test_streams_cwd_environment_and_status_are_as_in_subprocess(backend: str, tmp_path: Path) -> None:
    script = 'cat; echo "$PWD $WORD"; echo oops >&2; exit 7'
    env = {"PATH": os.environ["PATH"], "WORD": "a b"}
    with spawn(
        ["bash", "-c", script], backend=backend, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=tmp_path, env=env, text=True
    ) as group:
        assert group.communicate("in\n", timeout_s=30) == (f"in\n{tmp_path} a b\n", "oops\n")
        assert group.wait(30) == 7
        assert group.returncode == 7
        report = group.terminate()
        assert report.clean
        assert report.argv == ("bash", "-c", script)


@pytest.mark.parametrize("backend", FEW)
def test_signals_are_at_their_default_and_unblocked(backend: str) -> None:
    # As in a background shell job: SIGINT and SIGQUIT ignored, and something blocked.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    try:
        with spawn(
            ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], backend=backend, stdout=PIPE, text=True
        ) as group:
            lines = output_of(group).split()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    # 32 and 33 are the C library's own (signal(7)): it lets nobody set them, so whoever ignored them above us wins.
    reserved = 1 << 31 | 1 << 32
    assert [int(word, 16) & ~reserved for word in lines[1::2]] == [0, 0]


@pytest.mark.parametrize("backend", FEW)
def test_a_signal_without_a_name_ends_a_group_like_any_other(backend: str) -> None:
    number = signal.SIGRTMIN + 1
    with spawn(["bash", "-c", "sleep 4567 & echo up; wait"], backend=backend, stdout=PIPE) as group:
        assert group.stdout is not None
        group.stdout.readline()
        report = group.terminate(number)
    assert report.clean
    assert report.escalations == ()
    assert {member.signals[0][0] for member in report.members} == {f"signal {number:d}"}


@pytest.mark.parametrize("backend", FEW)
def test_a_pty_is_the_controlling_terminal(backend: str) -> None:
    with spawn(
        ["bash", "-c", "tty; [ -t 0 ] && ps -o tpgid= -p $$ && echo pid $$ >/dev/tty"], backend=backend, pty=True
    ) as group:
        assert group.pty is not None
        assert group.wait(30) == 0
        output = read_terminal(group.pty)
    assert output.startswith(b"/dev/pts/")
    assert b"pid " in output


@pytest.mark.parametrize("backend", FEW)
@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["no-such-program"], "No such file"),
        (["/"], "Permission denied"),
        ([], "no command"),
        ("sleep 1", "one string"),
        (["a\0b"], "NUL"),
    ],
    ids=["missing", "folder", "empty", "string", "nul"],
)
def test_what_cannot_be_started_says_why_and_leaves_nothing(backend: str, argv: list[str], text: str) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(StartError, match=text):
        spawn(argv, backend=backend, stdin=PIPE, stdout=PIPE)
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208


def test_a_missing_folder_is_named() -> None:
    for backend in (name for name in FEW if probe(name).usable):
        with pytest.raises(StartError, match="/no/such/folder"):
            spawn(["true"], backend=backend, cwd="/no/such/folder")


@pytest.mark.parametrize("backend", FEW)
def test_wait_gone_waits_for_the_members_not_for_the_leader(backend: str) -> None:
    with spawn(["bash", "-c", "sleep 4567 & echo up"], backend=backend, stdout=PIPE) as group:
        assert group.stdout is not None
        assert group.stdout.readline() == b"up\n"
        assert group.wait(30) == 0
        (living,) = group.members()
        assert not group.wait_gone(0.05)
        os.kill(living.pid, signal.SIGTERM)
        assert group.wait_gone(30)
        assert group.members() == ()
        report = group.terminate()
        assert report.clean
        assert report.escalations == ()


@pytest.mark.parametrize("backend", FEW)
def test_leaving_the_block_kills_what_is_left_and_closes_every_descriptor(backend: str) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with spawn(["bash", "-c", "sleep 4567 & echo up; wait"], backend=backend, stdin=PIPE, stdout=PIPE) as group:
        assert group.stdout is not None
        group.stdout.readline()
        members = group.members()
        assert len(members) == 2
    for member in members:
        stat = read_stat(member.pid)
        assert stat is None or stat.is_dead
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert group.terminate().clean  # the last report again
    assert group.close() is not None


@pytest.mark.parametrize("backend", FEW)
def test_members_of_a_group_can_be_started_from_many_threads(backend: str) -> None:
    reports = []

    def one() -> None:
        with spawn(["bash", "-c", "sleep 4567 & echo up; wait"], backend=backend, stdout=PIPE) as group:
            assert group.stdout is not None
            group.stdout.readline()
            reports.append(group.terminate(signal.SIGKILL))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(report.clean, len(report.members)) for report in reports] == [(True, 2)] * 4


def test_pipes_that_a_stray_keeps_open_are_named() -> None:
    with spawn(["bash", "-c", "setsid sleep 4567 & echo up"], backend="subreaper", stdout=PIPE, text=True) as group:
        assert group.wait(30) == 0  # it has said all that it says: the 0.3 s are for the stray only
        with pytest.raises(PipesHeldError, match="kept open by") as caught:
            group.communicate(timeout_s=0.3)
        assert caught.value.stdout == "up\n"
        assert {member.pid for member in group.members()} == set(caught.value.holders)


def test_the_report_is_a_json_document_and_says_why() -> None:
    with spawn(["bash", "-c", "setsid sleep 4567 & echo $!; wait"], backend="process-group", stdout=PIPE) as group:
        assert group.stdout is not None
        stray = int(group.stdout.readline())
        stat = read_stat(stray)
        while stat is not None and stat.sid != stray:
            stat = read_stat(stray)
        report = group.terminate(signal.SIGKILL)
        document = report.as_dict()
        os.kill(stray, signal.SIGKILL)
    assert document["schema_version"] == 1
    assert document["clean"] is False
    assert document["survivors"] == [stray]
    member = next(member for member in document["members"] if member["pid"] == stray)
    assert member["escaped"] == "setsid"
    assert member["why"].startswith("left the group by setsid; was never signalled")


@pytest.mark.parametrize("backend", FEW)
def test_asyncio_ends_a_group_also_when_the_task_is_cancelled(backend: str) -> None:
    async def cancelled() -> tuple[int, ...]:
        async with await spawn_async(["bash", "-c", "sleep 4567 & wait"], backend=backend) as group:
            while len(members := await group.members()) < 2:
                await asyncio.sleep(0.01)
            pids.extend(member.pid for member in members)
            with pytest.raises(TimeoutError):
                await group.wait(0.01)
            await group.wait()
        return ()

    async def main() -> None:
        task = asyncio.create_task(cancelled())
        while not pids:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    pids: list[int] = []
    asyncio.run(main())
    assert len(pids) == 2
    for pid in pids:
        stat = read_stat(pid)
        assert stat is None or stat.is_dead


def test_other_members_are_awaited_while_a_group_is_ended() -> None:
    # The handler waits for a line that this loop writes: were the loop busy with the end, it would never come.
    async def main() -> None:
        trap = ["bash", "-c", "trap 'echo caught; read -r _; exit' TERM; echo up; while :; do sleep 0.01; done"]
        async with await spawn_async(trap, backend="process-group", stdin=PIPE, stdout=PIPE) as group:
            stdin, stdout = group.group.stdin, group.group.stdout
            assert stdin is not None
            assert stdout is not None
            assert await asyncio.to_thread(stdout.readline) == b"up\n"
            ending = asyncio.create_task(group.terminate(grace_s=60, deadline_s=90))
            assert await asyncio.to_thread(stdout.readline) == b"caught\n"
            assert not ending.done()
            stdin.write(b"go\n")
            stdin.flush()
            assert (await ending).escalations == ()

    asyncio.run(main())


def test_no_backend_of_that_name_lists_the_others() -> None:
    with pytest.raises(UsageError, match="no group-kill backend 'nosuch'") as caught:
        spawn(["true"], backend="nosuch")
    assert "subreaper" in str(caught.value.hint)


def test_a_backend_of_another_system_says_so() -> None:
    assert probe_all()["job-object"].reason == "Windows only"
    with pytest.raises(BackendUnusableError, match="Windows only"):
        choose("job-object")


def test_the_environment_chooses_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAKEHUNTER_GROUP_KILL", "session")
    with spawn(["true"]) as group:
        assert group.backend == "session"
    monkeypatch.delenv("FLAKEHUNTER_GROUP_KILL")
    with spawn(["true"]) as group:
        assert group.backend == next(name for name in ("cgroup", "systemd-scope", "subreaper") if probe(name).usable)


OWN_BACKEND = """
from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.reach import Reach

class ByGroup(Reach):
    def __init__(self, leader):
        self.leader = leader

    def is_member(self, stat):
        return stat.pgid == self.leader

class Own(LinuxBackend):
    name = "own"

    def reach(self, leader, mark):
        return ByGroup(leader)
"""


def test_a_teams_own_backend_is_one_small_file_behind_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN_BACKEND)
    folder = tmp_path / "own-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[flakehunter.groupkill]\nown = own:Own\nbroken = own:Missing\n")
    code = (
        "from flakehunter.groupkill import choose\n"
        "with choose('own').spawn(['bash', '-c', 'sleep 4567 & echo up; wait'], stdout=-1) as group:\n"
        "    group.stdout.readline()\n"
        "    report = group.terminate(9)\n"
        "print(report.backend, report.clean, len(report.members))\n"
        "choose('broken')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "own True 2\n"
    assert "plugin 'broken' of flakehunter.groupkill cannot be loaded: AttributeError" in done.stderr


@pytest.mark.parametrize("backend", FEW)
def test_a_member_that_leaves_for_a_process_group_of_its_own_is_named(backend: str) -> None:
    script = "set -m; bash -c 'echo left; exec sleep 4567' & wait"  # told by the child: it leaves before its exec
    with spawn(["bash", "-c", script], backend=backend, stdout=PIPE) as group:
        assert group.stdout is not None
        assert group.stdout.readline() == b"left\n"
        report = group.terminate(signal.SIGKILL)
        for member in report.survivors:  # process-group cannot reach it
            os.kill(member.pid, signal.SIGKILL)
    (left,) = report.escapees
    assert left.escaped == "setpgid"
    assert left.pid == left.pgid != group.pid


@pytest.mark.parametrize("backend", FEW)
def test_a_member_that_leaves_after_it_was_seen_is_named(backend: str) -> None:
    child = "echo up; read -r _ <&3; exec setsid cat <&3"
    with spawn(["bash", "-c", f"exec 3<&0; ({child}) & wait"], backend=backend, stdin=PIPE, stdout=PIPE) as group:
        assert group.stdin is not None
        assert group.stdout is not None
        assert group.stdout.readline() == b"up\n"
        assert len(group.members()) == 2
        group.stdin.write(b"go\nleft\n")
        group.stdin.flush()
        assert group.stdout.readline() == b"left\n"  # by `cat`, which stands still now
        report = group.terminate(signal.SIGKILL)
        for member in report.survivors:  # process-group cannot reach it
            os.kill(member.pid, signal.SIGKILL)
    (left,) = report.escapees
    assert left.escaped == "setsid"


def test_every_backend_fits_the_protocol_and_meets_these_tests() -> None:
    for name in plugins.names("flakehunter.groupkill"):
        if probe_all()[name].usable:
            assert name in ALL
            assert isinstance(choose(name), GroupKillBackend)
            assert choose(name).name == name


def test_a_member_that_is_seen_in_the_middle_of_its_exec_gets_its_new_command_line() -> None:
    # For a moment of each exec the name is the new program's and the command line is empty; here it lasts.
    program = (
        "import ctypes, sys\n"
        "fields = open('/proc/self/stat').read().rpartition(')')[2].split()\n"
        "start, size = int(fields[45]), int(fields[46]) - int(fields[45])\n"  # arg_start, arg_end: proc_pid_stat(5)
        "before = ctypes.string_at(start, size)\nprint('up', flush=True)\nsys.stdin.readline()\n"
        "ctypes.CDLL(None).prctl(15, b'another')\nctypes.memset(start, 0, size)\nprint('empty', flush=True)\n"
        "sys.stdin.readline()\nctypes.memmove(start, before.replace(b'old', b'new'), size)\n"
        "print('there', flush=True)\nsys.stdin.readline()\n"
    )
    with spawn([sys.executable, "-c", program, "old"], backend="process-group", stdin=PIPE, stdout=PIPE) as group:
        assert group.stdin is not None
        assert group.stdout is not None
        seen = []
        for state in (b"up\n", b"empty\n", b"there\n"):
            assert group.stdout.readline() == state
            seen += [member.argv[-1] for member in group.members()]
            group.stdin.write(b"go\n")
            group.stdin.flush()
    assert seen == ["old", "old", "new"]


def test_groups_inside_groups_are_told_apart() -> None:
    # Marks are inherited: the inner group has to choose another one, and the outer still sees all.
    inner = (
        "import subprocess\nfrom flakehunter.groupkill import spawn\n"
        "group = spawn(['sleep', '4567'], backend='cookie')\nother = subprocess.Popen(['sleep', '4568'])\n"
        "report = group.terminate()\nprint(len(report.members), report.clean, other.poll(), flush=True)\n"
        "group = spawn(['bash', '-c', 'setsid env -i sleep 4569 & wait'], backend='naive')\nprint('up', flush=True)\n"
        "group.wait()\n"
    )
    with spawn([sys.executable, "-c", inner], backend="cookie", stdout=PIPE, text=True) as group:
        assert group.stdout is not None
        assert group.stdout.readline() == "1 True None\n"
        assert group.stdout.readline() == "up\n"
        end = time.monotonic() + 90
        while sum(member.argv[:1] == ("sleep",) for member in group.members()) < 2:
            assert time.monotonic() < end
        report = group.terminate(signal.SIGKILL)
    assert report.clean
    assert {member.argv for member in report.members} >= {("sleep", "4568"), ("sleep", "4569")}


def test_who_is_reaped_before_anybody_looks_keeps_the_group_that_it_was_in() -> None:
    # What the kernel ends and reaps by itself, such as a pid namespace, may be gone before its state can be read.
    from flakehunter.groupkill.linux.track import Tracker

    with Tracker() as tracker, subprocess.Popen(["sleep", "4567"], process_group=0) as sleep:
        prepared = tracker.prepare([sleep.pid])
        sleep.kill()
        sleep.wait()
        tracker.adopt(prepared, dying_s=5.0)
        (swept,) = tracker.describe()
    assert (swept.pid, swept.pgid, swept.sid) == (sleep.pid, sleep.pid, os.getsid(0))
