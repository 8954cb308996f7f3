"""Which log lines matter to the mechanisms: signals, pids, kills, time-outs, jobs, and nothing else."""

import re

from flakehunter.model import LogEventKind

# One alternation over lower-cased text decides for nearly all lines that they do not matter.
_MAYBE = re.compile(
    r"sig(?:term|kill|int|hup|quit|chld|segv|abrt|bus|pipe|usr)|signal|kill|terminat|\bpids?\b|\bpgid|process"
    r"|esrch|eperm|echild"
    r"|eaddrinuse|address already in use|etxtbsy|text file busy|still alive|still running"
    r"|exit(?:ed|s)? (?:code|status|with)"
    r"|exitcode|exit_code|returncode|return code|status 1(?:37|43)|time[ds]?[ -]?out|deadline"
    r"|access is denied|access denied"
    r"|winerror|error (?:5|32)\b|zombie|defunct|did not exit|didn't exit|has not exited"
    r"|orphan|reap|oom|out of memory|job object|jobobject"
    r"|wait(?:id|pid)|no child|survivor|left ?over|leaked|lock(?:ed|file)|being used by another"
)

_KINDS: tuple[tuple[LogEventKind, re.Pattern[str]], ...] = (
    (
        LogEventKind.JOB,
        re.compile(
            r"job ?object|assignprocess|jobobject|winerror (?:5|32)\b|\bjob\b.*(?:access is denied|error 5\b)"
            r"|(?:access is denied|error 5\b).*\bjob\b|\baccess is denied|being used by another process"
        ),
    ),
    (
        LogEventKind.TIMEOUT,
        re.compile(
            r"\btime(?:d|s)?[ -]?out\b|\btimeout(?:error|expired|exception)?\b"
            r"|deadline (?:exceeded|passed|reached)|deadlineexceeded"
        ),
    ),
    (
        LogEventKind.KILL,
        re.compile(
            r"\bsigkill\b|\bkill(?:ed|ing|s|pg)?\b|\bterminat(?:e[ds]?|ing|ion)\b"
            r"|exit (?:code|status)[ :=]*(?:137|143)\b"
            r"|status 1(?:37|43)\b|(?:exit ?code|return ?code|exit_code|code)[ :=]*-(?:9|15)\b|oom|out of memory"
        ),
    ),
    (
        LogEventKind.SIGNAL,
        re.compile(r"\bsig(?:term|kill|int|hup|quit|chld|segv|abrt|bus|pipe|usr[12])\b|\bsignal(?:s|led|ed)?\b"),
    ),
    (
        LogEventKind.PROCESS,
        re.compile(
            r"\b(?:esrch|eperm|echild|eaddrinuse|etxtbsy)\b|no such process|no child process|operation not permitted"
            r"|address already in use|text file busy|still (?:alive|running)|zombie|defunct|did not exit|didn't exit"
            r"|has not exited|orphan|\breap(?:ed|ing)?\b|\bp(?:id|gid|pid)s?\b[ :=#(]*\d|\bprocess(?:es)? \(?\d|pid="
            r"|exit(?:ed)? (?:with )?(?:code|status)[ :=]*-?[1-9]|exited with -?[1-9]"
            r"|return ?code[ :=]*-?[1-9]|survivors?\b"
            r"|wait(?:pid|id)\b|leaked process|lock ?file"
        ),
    ),
)

_PID = re.compile(
    r"\b(?:pid|pgid|ppid|process(?: id| group)?|grandchild|child)[ :=#(]*?(?:pid[ :=]*)?(\d{1,7})\b"
    r"|kill(?:pg)?\(\s*-?(\d{1,7})\s*,|\[(\d{2,7})\] (?:killed|terminated|exited)",
    re.IGNORECASE,
)


def classify(line: str) -> tuple[LogEventKind, int | None] | None:
    """Return the kind of event that a line tells of and the pid it names; None when it does not matter."""
    lowered = line.lower()
    if not _MAYBE.search(lowered):
        return None
    for kind, pattern in _KINDS:
        if pattern.search(lowered):
            return kind, pid_in(line)
    return None


def pid_in(line: str) -> int | None:
    """Return the first pid that a line names."""
    found = _PID.search(line)
    if found is None:
        return None
    return next(int(number) for number in found.groups() if number)
