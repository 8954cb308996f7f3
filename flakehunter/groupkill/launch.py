"""What runs between fork and exec of a group's command; run as a script by a bare interpreter, imports nothing of ours.

A process of its own instead of `preexec_fn`, which may deadlock when the caller has threads; Python 3.12 warns of it.
Usage: launch.py CONTROL_FD OPTION… -- ARGV…, with these options, applied in this order:

    --join=FILE       write our pid to FILE (cgroup.procs or tasks); may be given more than once
    --new=session|group
    --ctty            make stdin the controlling terminal
    --foreground      make our group the foreground group of the terminal on stdin
    --mark=RESOURCE:N set the soft limit of that resource to N

The control descriptor is closed by exec; what is written to it before is "ERRNO STAGE MESSAGE".
"""

import os
import sys

assert sys.platform != "win32"


def original_environment() -> dict[bytes, bytes]:
    """Return the environment as it was given: the interpreter may have changed LC_CTYPE in its own copy (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib costs 10 ms at start
            entries = file.read().split(b"\0")
    except OSError:
        return dict(os.environb)
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def reset_signals() -> None:
    """Put every signal back to its default and block none.

    A background shell job starts with SIGINT and SIGQUIT ignored, Python ignores SIGPIPE and SIGXFSZ.
    """
    import signal

    for number in signal.valid_signals():
        try:
            if signal.getsignal(number) is not signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):  # SIGKILL, SIGSTOP, signals of the C library
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def set_up(options: list[str]) -> str:
    """Apply the options; returns the stage that was last begun, for the error report."""
    for option in options:
        name, _, value = option.partition("=")
        try:
            apply(name, value)
        except OSError as error:
            error.stage = option  # type: ignore[attr-defined]
            raise
    return "exec"


def apply(name: str, value: str) -> None:
    """Apply one option."""
    if name == "--join":
        descriptor = os.open(value, os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, b"0")
        os.close(descriptor)
    elif name == "--new":
        if value == "session":
            os.setsid()
        else:
            os.setpgid(0, 0)
    elif name == "--ctty":
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    elif name == "--foreground":
        import signal

        # Or the kernel stops us: a background group may not take the terminal unless it blocks this (tcsetpgrp(3)).
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        os.tcsetpgrp(0, os.getpgrp())
    elif name == "--mark":
        import resource

        kind, _, number = value.partition(":")
        hard = resource.getrlimit(int(kind))[1]
        resource.setrlimit(int(kind), (int(number), hard))


def execute(argv: list[str]) -> None:
    """Replace this process by the command, found on the PATH of the environment it gets."""
    reset_signals()
    os.execvpe(os.fsencode(argv[0]), [os.fsencode(part) for part in argv], original_environment())


def main() -> None:
    """Do what the module's docstring says; returns only by ending the process."""
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    end = sys.argv.index("--", 2)
    try:
        set_up(sys.argv[2:end])
        execute(sys.argv[end + 1 :])
    except OSError as error:
        stage = getattr(error, "stage", "exec")
        os.write(control, f"{error.errno} {stage} {error.strerror}".encode())
        os._exit(127)


if __name__ == "__main__":
    main()
