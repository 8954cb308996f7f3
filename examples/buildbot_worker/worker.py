"""A build worker that keeps the commands of a step in a Job Object (Windows).

    python worker.py flawed|by-hand|by-flakehunter STEPS

Runs STEPS short commands, and STEPS commands that start a child, and prints how often the worker failed and how often a
child was left outside of the job. `late` stands for a loaded machine, between start and assignment.
"""

import ctypes
import json
import subprocess
import sys
from ctypes import wintypes

STILL_ACTIVE = 259
SHORT = ["cmd", "/c", "exit 259"]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
kernel32.CreateJobObjectW.restype = wintypes.HANDLE
for name in ("AssignProcessToJobObject", "GetExitCodeProcess", "IsProcessInJob", "TerminateJobObject", "CloseHandle"):
    getattr(kernel32, name).argtypes = {
        "AssignProcessToJobObject": (wintypes.HANDLE, wintypes.HANDLE),
        "GetExitCodeProcess": (wintypes.HANDLE, ctypes.c_void_p),
        "IsProcessInJob": (wintypes.HANDLE, wintypes.HANDLE, ctypes.c_void_p),
        "TerminateJobObject": (wintypes.HANDLE, wintypes.UINT),
        "CloseHandle": (wintypes.HANDLE,),
    }[name]


class RefusedError(Exception):
    """AssignProcessToJobObject said "Access is denied"."""


def late(process):
    """Let the process get ahead: until it has ended, or its child runs."""
    return process.stdout.readline()


def assign(job, process):
    """Flawed: no look, no catch."""
    if not kernel32.AssignProcessToJobObject(job, int(process._handle)):
        raise RefusedError(ctypes.get_last_error())


def assign_unless_ended(job, process):
    """By hand: look first, and catch too. The error is gone; a child that was started before stays outside."""
    code = wintypes.DWORD()
    kernel32.GetExitCodeProcess(int(process._handle), ctypes.byref(code))
    if code.value != STILL_ACTIVE:
        return
    try:
        assign(job, process)
    except RefusedError as error:
        if error.args[0] != 5:
            raise


def step_by_hand(argv, take_in):
    """Run one command in a job of its own; returns whether a child was left outside."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    job = kernel32.CreateJobObjectW(None, None)
    try:
        child = late(process)
        take_in(job, process)
        return bool(child) and not is_in(job, int(child))
    finally:
        kernel32.TerminateJobObject(job, 1)
        kernel32.CloseHandle(job)
        end(process, child)


def is_in(job, pid):
    """Whether the process `pid` is in the job."""
    kernel32.OpenProcess.restype = wintypes.HANDLE
    handle = kernel32.OpenProcess(0x1000, False, pid)
    inside = wintypes.BOOL()
    kernel32.IsProcessInJob(handle, job, ctypes.byref(inside))
    kernel32.CloseHandle(handle)
    return bool(inside.value)


def end(process, child):
    """Tidy up what the job did not end."""
    if child:
        handle = kernel32.OpenProcess(1, False, int(child))
        kernel32.TerminateProcess(wintypes.HANDLE(handle), 1)
        kernel32.CloseHandle(handle)
    process.kill()
    process.communicate()


def step_by_flakehunter(argv):
    """Run one command that is created inside its job; returns whether a child was left outside."""
    from flakehunter.groupkill import spawn

    with spawn(argv, backend="job-object", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as group:
        child = group.stdout.readline()
        outside = bool(child) and int(child) not in {member.pid for member in group.members()}
        report = group.terminate(grace_s=0)
        return outside or not report.clean


def main():
    """Run the steps and print the counts."""
    steps = {
        "flawed": lambda argv: step_by_hand(argv, assign),
        "by-hand": lambda argv: step_by_hand(argv, assign_unless_ended),
        "by-flakehunter": step_by_flakehunter,
    }
    step, count = steps[sys.argv[1]], int(sys.argv[2])
    errors = outside = 0
    for argv in [SHORT] * count + [[sys.executable, "-c", PARENT]] * count:
        try:
            outside += step(argv)
        except RefusedError:
            errors += 1
    print(json.dumps({"errors": errors, "outside": outside}))


if __name__ == "__main__":
    main()
