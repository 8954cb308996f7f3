"""The pytest plugin, in pytest runs of their own."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from flakehunter.groupkill.linux.procfs import read_stat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leaks are found on Linux")

# Numbers of seconds that nobody else sleeps for: the daemon is looked for in all of the machine.
CHILD, DAEMON = (f"9{secrets.randbelow(10**9):09d}" for _ in range(2))
LEAKY = f"""
import subprocess, os, pytest
from pathlib import Path

@pytest.fixture(scope="module")
def server():
    process = subprocess.Popen(["sleep", "4444"])
    yield process
    process.kill()
    process.wait()

def test_with_server(server):
    assert server.poll() is None

def test_leaks_a_child(server):
    globals()["child"] = child = subprocess.Popen(["sleep", "{CHILD}"])
    while not Path(f"/proc/{{child.pid}}/cmdline").read_bytes():  # empty in the middle of the exec
        pass

def test_leaks_a_daemon(server):
    daemon = "(setsid env -i sleep {DAEMON} >&- 2>&- <&- &); until pgrep -xf 'sleep {DAEMON}' >/dev/null; do :; done"
    subprocess.run(["bash", "-c", daemon], check=True)

def test_waits(server):
    child = subprocess.Popen(["sleep", "4447"])
    child.terminate()
    child.wait()

def test_server_is_alive(server):
    assert server.poll() is None
"""
USES = """
import subprocess, pytest

def test_group(process_group, assert_gone):
    group = process_group(["bash", "-c", "setsid sleep 4448 & echo $!; wait"], stdout=subprocess.PIPE)
    pid = int(group.stdout.readline())
    print("PID", pid)
    with pytest.raises(AssertionError, match="not gone after .* sleep 4448|setsid"):
        assert_gone(pid, deadline_s=0.05)

def test_forgets(process_group):
    group = process_group(["bash", "-c", "sleep 4449 & echo up; wait"], stdout=subprocess.PIPE)
    group.stdout.readline()
    print("PID", group.pid)
"""


def run_pytest(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file."""
    (folder / "test_it.py").write_text(text)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-rA",
            "--rootdir",
            str(folder),
            *arguments,
            "test_it.py",
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=250,
        check=False,
    )


def test_leaks_are_named_and_ended_and_fixtures_spared(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, LEAKY, "--flakehunter-leaks", "report")
    assert done.returncode == 0, done.stdout
    section = done.stdout.split("tests that left processes behind")[1]
    named = re.findall(r"::(\w+): pid (\d+) \(\w\) (sleep \d+)(.*)", section)
    assert [(test, command) for test, _, command, _ in named] == [
        ("test_leaks_a_child", f"sleep {CHILD}"),
        ("test_leaks_a_daemon", f"sleep {DAEMON}"),
    ]
    assert "session of its own" in named[1][3]
    for _, pid, _, _ in named:
        stat = read_stat(int(pid))
        assert stat is None or stat.is_dead


def test_leaks_can_fail_the_test_that_left_them(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, LEAKY, "--flakehunter-leaks", "fail")
    assert done.returncode == 1
    assert "left 1 processes behind" in done.stdout
    assert "5 passed, 2 errors" in done.stdout


def test_without_the_option_nothing_is_looked_for_or_imported(tmp_path: Path) -> None:
    text = "import sys\n\ndef test_light():\n    assert 'flakehunter.groupkill' not in sys.modules\n"
    done = run_pytest(tmp_path, text)
    assert done.returncode == 0, done.stdout
    assert "flakehunter: " not in done.stdout


def test_the_fixture_leaves_no_member_of_its_groups(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, USES)
    assert done.returncode == 0, done.stdout
    pids = [int(pid) for pid in re.findall(r"PID (\d+)", done.stdout)]
    assert len(pids) == 2
    for pid in pids:
        stat = read_stat(pid)
        assert stat is None or stat.is_dead
