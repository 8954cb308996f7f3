"""Runs at the start of every traced Python: marks the calls that end processes or look at them with file and line.

A mark is access(2) on a path that does not exist; see flakehunter/trace/marks.py. Nothing here may fail, print, or
change what the program sees; when it has done its work it hands over to the sitecustomize that it hides, if there is
one. It must be quick to import: os.path, and no types at run time.
"""
# mypy: ignore-errors
# ruff: noqa: PTH100, PTH118, PTH120

import os
import sys
from time import monotonic


def _install():
    access = os.access
    real_waitpid, real_stat, real_exec_path = os.waitpid, os.stat, os.get_exec_path
    real_pidfd_open = getattr(os, "pidfd_open", None)
    library = os.path.dirname(os.__file__) + os.sep
    here = __file__
    state = {"signals": 0}
    # What a program calls in order to look or to wait, and what these call. Any other function of a library that asks
    # for a child (Popen.send_signal, Pool.terminate, a clean-up) asks for itself.
    looking = {"poll", "_internal_poll", "is_alive", "exitcode", "_try_wait", "_wait", "wait", "join"}
    looking |= {"communicate", "_communicate", "run", "call", "check_call", "check_output"}

    def own(name):
        return not (
            name.startswith((library, "<")) or name == here or "site-packages" in name or "dist-packages" in name
        )

    def mark(what, fields, frame):
        stack = []
        seen = 0
        while frame is not None and len(stack) < 6:
            name = frame.f_code.co_filename
            if own(name):
                stack.append(f"{os.path.abspath(name).replace('%', '%25').replace('|', '%7C')}:{frame.f_lineno}")
            elif stack:
                # The program's own frames end here: below is the test runner, whose loops are not the test's.
                seen += 1
                if seen > 3:
                    break
            frame = frame.f_back
        if stack:
            access(f"/.flakehunter/{what}/{fields}/{'|'.join(stack)}", 0)

    def waitpid(pid, options, /):
        if options & os.WNOHANG and pid > 0:
            fields = ""
            frame = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename.startswith(library):
                name = frame.f_code.co_name
                if name not in looking:
                    fields = "internal="
                    break
                if name in ("wait", "_wait", "communicate") and frame.f_locals.get("timeout") is not None:
                    fields = f"timeout={float(frame.f_locals['timeout'])}"
                frame = frame.f_back
            mark("wait", fields, sys._getframe(1))
        return real_waitpid(pid, options)

    def pidfd_open(pid, flags=0):
        said = deadline(sys._getframe(1))
        if said:
            mark("wait", said, sys._getframe(1))
        return real_pidfd_open(pid, flags)

    def stat(path, *, dir_fd=None, follow_symlinks=True):
        if state["signals"] and isinstance(path, (str, os.PathLike)):
            mark("stat", "", sys._getframe(1))
        return real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def get_exec_path(env=None):
        """Leave out of PATH, for subprocess alone, where the program is not.

        Its child tries each folder by an execve(2), and strace stops it at all of them. What is left fails or succeeds
        as before: those that are left out would have been passed over.
        """
        path = real_exec_path(env)
        caller = sys._getframe(1)
        name = caller.f_locals.get("executable")
        if caller.f_code.co_name != "_execute_child" or not isinstance(name, bytes):
            return path
        if caller.f_locals.get("preexec_fn") is not None:
            return path  # it may change the root
        there = [folder for folder in path if not missing(folder, name)]
        return there or path

    def missing(folder, name):
        folder = os.fsencode(folder)
        if not folder.startswith(b"/"):
            return False
        try:
            os.statvfs(os.path.join(folder, name))  # a call that strace does not stop at
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            pass
        return False

    def deadline(frame):
        """Say how long the wait of a library may take that looks again and again until it is over (psutil.wait_procs).

        The outermost such function counts: those below it are given slices of its time. Its own `timeout` may have
        become that of a slice, then the moment that it has computed from it tells.
        """
        said = ""
        while frame is not None and not own(frame.f_code.co_filename):
            if frame.f_code.co_name.startswith("wait"):
                values = frame.f_locals
                moments = [values[name] for name in ("deadline", "endtime", "stop_at") if name in values]
                times = [moment - monotonic() for moment in moments if isinstance(moment, float)]
                if isinstance(values.get("timeout"), (int, float)):
                    times.append(values["timeout"])
                said = f"timeout={float(max(times))}" if times else "timeout=inf"
            frame = frame.f_back
        return said

    def on_event(event, arguments):
        if event in ("os.kill", "os.killpg", "signal.pthread_kill"):
            state["signals"] += arguments[1] != 0
            mark("kill", "" if arguments[1] else deadline(sys._getframe(1)), sys._getframe(1))
        elif event == "open":
            path, _mode, flags = arguments
            if isinstance(path, os.PathLike):
                path = os.fspath(path)
            if isinstance(path, str) and ((path[:6] == "/proc/" and path[6:7].isdigit()) or (flags or 0) & os.O_EXCL):
                mark("open", "", sys._getframe(1))
        elif event == "socket.bind":
            mark("bind", "", sys._getframe(1))

    wrapped = [(waitpid, real_waitpid), (stat, real_stat), (get_exec_path, real_exec_path)]
    if real_pidfd_open is not None:
        wrapped.append((pidfd_open, real_pidfd_open))
        os.pidfd_open = pidfd_open
    for wrapper, real in wrapped:
        wrapper.__name__ = wrapper.__qualname__ = real.__name__
        wrapper.__doc__ = real.__doc__
        # shutil and others ask whether `os.stat` itself is in these sets.
        for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if real in abilities:
                abilities.add(wrapper)
    os.waitpid, os.stat, os.get_exec_path = waitpid, stat, get_exec_path
    sys.addaudithook(on_event)


def _hand_over():
    """Run the sitecustomize that this one hides."""
    folder = os.path.dirname(os.path.abspath(__file__))
    marks = os.path.join(os.path.dirname(folder), "pytest")
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") not in (folder, marks)]
    # At the end pytest finds its plugin too, and no other import looks there first.
    sys.path[:] = [*path, marks] if marks in sys.path else path
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


try:
    _install()
finally:
    _hand_over()
