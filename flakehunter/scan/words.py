"""Words in source that are about processes: what is looked for before anything is lowered."""

import re

ENDS = re.compile(
    rb"[kK]ill|[Tt]erminat|[dD]estroy|[aA]bort\(|send_signal|AssignProcess|cgroup\.procs|cg_enter|[cC]ancel\(|\.Signal\(|\.signal\(|SIG[A-Z]|CloseMainWindow|"
    rb"AddProc|AssignProc|[^\w][sS]top\w*\b|_stop\w*\b|[sS]hutdown|[dD]ispose"
)
"""A function without one of these ends no process itself."""
STARTS = re.compile(rb"Popen|[sS]pawn|\bv?fork|(?:\.|->)[sS]tart\(|proc_open|create_subprocess|CreateProcess")
"""A function without one of these starts no process itself."""
WORDS = re.compile(
    rb"[kK]ill|[Tt]erminat|[dD]estroy|[aA]bort|[sS]ignal|SIG[A-Z]|[pP]roc|PROC|[pP]id|PID|[sS]pawn|[pP]open|[fF]ork|[sS]leep|[wW]ait|"
    rb"[aA]live|[jJ]oin|[eE]xit|[cC]hild|[wW]orker|[dD]aemon|[rR]unning|[cC]ancel|[sS]top|[dD]elay|setTimeout|[pP]oll|cgroup"
)
"""A large part of a function without one of these says nothing of a process."""
PLAIN = frozenset(
    [
        "run",
        "main",
        "get",
        "set",
        "close",
        "send",
        "call",
        "setup",
        "setUp",
        "tearDown",
        "test",
        "start",
        "stop",
        "add",
        "new",
        "init",
        "write",
        "read",
        "open",
        "exit",
        "exec",
        "wait",
    ]
)
"""Names that too many functions have: a call of one does not make a function worth judging."""


def waits_after(source: bytes, start: int) -> bool:
    """Whether a pause or the word pid comes soon after a start: only then is a start without a signal worth a look."""
    part = source[start : start + 2000]
    return b"leep" in part or b"pid" in part or b"elay(" in part
