"""The step between strace and the command; run as the script `launch.py PACKAGE_ROOT FILTER_FD COMMAND…`.

It takes on the filter of stops.py, which strace believes to be its own, and becomes the command. strace does not see
its start, since no filter is there yet.
"""

import os
import signal
import sys

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from flakehunter.trace.seccomp import take_on

LARGEST_FILTER = 4096 * 8
"""Bytes of a filter of the largest number of instructions that the kernel takes (BPF_MAXINSNS)."""


def first_environment() -> dict[bytes, bytes]:
    """Return the environment that this process was started with: Python adds LC_CTYPE to its own (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib takes longer than all of this
        words = file.read().split(b"\0")
    return {name: value for name, equals, value in (word.partition(b"=") for word in words) if equals}


def _find(name: str) -> str:
    """Return the path of a program, searched for before anything is traced; the name itself when it is not found."""
    if "/" in name:
        return name
    paths = (os.path.join(folder, name) for folder in os.get_exec_path())  # noqa: PTH118 - as above
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), name)  # noqa: PTH113


def main() -> None:
    """Become the command; there is nothing to return to."""
    descriptor, command = int(sys.argv[2]), sys.argv[3:]
    program = os.pread(descriptor, LARGEST_FILTER, 0)
    os.close(descriptor)
    # Python ignores these from its start; a program that it becomes would too.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    environment = first_environment()
    path = _find(command[0])
    take_on(program)
    try:
        os.execve(path, command, environment)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
