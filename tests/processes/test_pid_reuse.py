"""A pid that is given out again while a group is ended: forced in a pid namespace with few pids."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux", allow_module_level=True)

# The member is seen once, ends, and is reaped by its parent; then strangers are started until one of them has its pid;
# then the group is ended. After the first round the kernel gives out pids from 300 (RESERVED_PIDS) to pid_max only.
PROGRAM = """
import os, signal, subprocess, sys
from flakehunter.groupkill.choice import load_backend

MOST = 2000

def burn_pids_below(limit):
    for _ in range(MOST):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        if pid > limit:
            return
    sys.exit("pids stay low")

def strangers_until(pid):
    found = []
    for _ in range(MOST):
        stranger = os.fork()
        if stranger == 0:
            os.setsid()
            signal.pause()
        if stranger == pid:
            return [*found, stranger]
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)
    sys.exit("the pid did not come again")

burn_pids_below(320)
group = load_backend(sys.argv[1]).spawn(
    ["bash", "-c", "sleep 600 & echo $!; read -r _; kill $!; wait $!; echo reaped; read -r _"], stdin=-1, stdout=-1)
member = int(group.stdout.readline())
assert member in {m.pid for m in group.members()}
group.stdin.write(b"go\\n"); group.stdin.flush()
assert group.stdout.readline() == b"reaped\\n"
(stranger,) = strangers_until(member)
report = group.terminate(int(sys.argv[2]), grace_s=5)
states = [os.waitpid(stranger, os.WNOHANG)[0] or None]
os.kill(stranger, signal.SIGKILL); os.waitpid(stranger, 0)
group.close()
of_member = [m for m in report.members if m.pid == member]
print(member, report.clean, set(states), [bool(m.exit_ms is not None) for m in of_member],
      [[name for name, _ in m.signals] for m in of_member])
"""


def can_unshare() -> bool:
    """Whether a pid namespace with a pid_max of its own can be made here (Linux 6.14, root).

    The kernel's version comes first: an older one would take the setting for the whole machine's, and for a moment all
    that runs on it would have to do with 100 pids.
    """
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 14):
        return False
    script = "echo 400 > /proc/sys/kernel/pid_max && [ $(cat /proc/sys/kernel/pid_max) = 400 ]"
    setting = Path("/proc/sys/kernel/pid_max")
    outer = setting.read_text()
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script]
    done = subprocess.run(command, capture_output=True, check=False)
    if setting.read_text() != outer:  # an older kernel: the setting is the whole machine's
        setting.write_text(outer)
        return False
    return done.returncode == 0


@pytest.mark.parametrize(("backend", "number"), [("process-group", 15), ("subreaper", 9), ("process-tree", 9)])
def test_a_stranger_with_a_members_pid_is_neither_signalled_nor_taken_for_it(backend: str, number: int) -> None:
    if not can_unshare():
        pytest.skip("no pid namespace with a pid_max of its own: needs root and Linux 6.14")
    inside = 'echo 400 > /proc/sys/kernel/pid_max; exec "$@"'
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", inside, "bash"]
    program = [sys.executable, "-c", PROGRAM, backend, str(number)]
    done = subprocess.run([*command, *program], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    member, clean, states, ended, signals = done.stdout.split(maxsplit=4)[0:5]
    assert int(member) > 0
    assert clean == "True"
    assert states == "{None}", "a stranger was signalled"
    assert ended == "[True]"
    assert signals.strip() == "[[]]"
