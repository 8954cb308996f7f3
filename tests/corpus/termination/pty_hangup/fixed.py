"""Close a pseudo-terminal, wait for the session's end, for at most 5 s."""

import fcntl
import os
import pty
import subprocess
import sys
import termios


def take_terminal() -> None:
    """Make the terminal on standard input the controlling one: tty_ioctl(4)."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


ours, theirs = pty.openpty()
child = subprocess.Popen(
    ["bash", "-c", "echo ready; read -r _"],
    stdin=theirs,
    stdout=theirs,
    stderr=theirs,
    start_new_session=True,
    preexec_fn=take_terminal,  # noqa: PLW1509
)
os.close(theirs)
os.read(ours, 100)
os.close(ours)  # the kernel sends SIGHUP to the session that loses its terminal
try:
    child.wait(timeout=5)
except subprocess.TimeoutExpired:
    child.wait()
    sys.exit(f"process {child.pid} has not ended after 5 s")
