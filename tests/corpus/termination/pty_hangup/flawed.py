"""Close a pseudo-terminal, pause 30 ms, look once whether its session has hung up."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time


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
time.sleep(0.03)
if child.poll() is None:
    child.wait()
    sys.exit(f"process {child.pid} is still alive without its terminal")
