"""Words in source that are about processes: what is looked for before anything is lowered."""

import re
from collections.abc import Iterable


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in text.split())


Gated = tuple[tuple[bytes, tuple[bytes, ...]], ...]
"""Words by a part that they share: a file without the part has none of them, and one search says so."""


def _gated(words: Iterable[bytes], parts: Iterable[bytes]) -> Gated:
    """Return `words` by the first of `parts` that each holds, or by itself."""
    parts = tuple(parts)
    found: dict[bytes, list[bytes]] = {}
    for word in words:
        found.setdefault(next((part for part in parts if part in word), word), []).append(word)
    return tuple((part, tuple(held)) for part, held in found.items())


def has_any(source: bytes, gated: Gated) -> bool:
    """Whether `source` has any of the words."""
    return any(part in source and (part in words or any(word in source for word in words)) for part, words in gated)


FILE_ENDS = (
    b"new Process",
    b"ps aux",
    *_words(
        """
        kill Kill terminate( terminate_ terminateP .terminate _terminate Terminate( TerminateP TerminateJ SIGTERM :TERM
        -TERM 'TERM' "TERM" estroy( estroyF estroyP destroy! abort( AbortController AbortSignal Abort( .signal( .Signal(
        send_signal SIGINT SIGHUP SIGUSR AssignProcess cgroup.procs Popen pawn ancel( sAlive is_alive pid_exists
        HasExited GetProcessById .Process( /proc/ pgrep ProcessBuilder exec.Command proc_open add_process ob.assign(
        wait(timeout group.assign( aemonize --daemon Alive( Running( assign_process( etpgid( AddProc( cgroups.Process
        rocess.Start(
        """
    ),
)
"""A file without one of these ends, contains or looks at no process."""
ENDS_BY_PART = _gated(FILE_ENDS, _words("erminate TERM estroy bort ignal SIG rocess Alive assign aemon proc"))
OF_SHELLS = {
    "bash": _gated((b"kill", b"/cgroup/", b"&\nsleep ", b"&\n\nsleep ", b"=$!"), ()),
    "php": _gated((b'&")', b"&')"), ()),
}
"""What matters in a language of scripts beside `FILE_ENDS`: jobs in the background."""
FILE_HAS = (
    b"kill -",
    *_words(
        """
        Pid PID subprocess child_process childProcess Popen pawn( pawn_ Process( Process. Process: Process;
        CreateProcess ProcessBuilder .poll( sAlive is_alive alive( alive? HasExited exitCode proc_ getRuntime
        exec.Command Command:: Deno.Command fork /proc/ pgrep running( is_running Running( isRunning Processes execa
        Alive(
        """
    ),
)
"""A file without one of these, or `MAY_HAVE`, has no process: all are looked through before a file is parsed."""
HAS_BY_PART = _gated(FILE_HAS, _words("rocess pawn alive Alive unning proc"))
MAY_HAVE = re.compile(
    rb"(?<![A-Za-z])(?:get|my|child)?p?pids?(?![a-z])|pidf(?:d|ile)|\bprocess\.[a-zA-Z]|\bproc\.[a-zA-Z]|"
    rb"\bexec\(\s*(?:[\"'`$]|sprintf|f\")|Command(?:Context)?\(\s*[\"']"
)
MAY_HAVE_WORDS = _words("pid process. proc. exec( Command(")
"""Short words, which stand in the middle of others too: the pattern is only looked for where there is one."""
HELPS = _words(
    """
    kill Kill erminat( estroy( estroyF waitpid pawn( Popen popen subprocess /proc/ sAlive is_alive isalive pid_exists
    .wait( .Wait( waitFor WaitFor exec.Command ProcessBuilder Process( Process. os.fork HasExited try_wait psutil
    .pid _pid (pid pid( Pid child_process _alive( alive( alive? unning( SIG proc_open fork( cgroup.procs
    """
)
"""An imported module without one of these has no helpers for processes."""
ENDS = _words(
    """
    kill Kill erminat estroy abort( Abort( send_signal AssignProcess cgroup.procs cg_enter ancel( .Signal( .signal( SIG
    CloseMainWindow pid_exists AddProc cgroups.Process AssignProc assign_process etpgid( .stop .Stop _stop >stop
    hutdown ispose wait(timeout
    """
)
"""A function without one of these ends no process itself."""
STARTS = _words("Popen pawn fork .start( .Start( >start( proc_open create_subprocess CreateProcess &\") &')")
"""A function without one of these starts no process itself."""
AFTER_START = _words("leep pid elay( ause( setTimeout aitFor wait(timeout join(timeout exitcode is_alive .run(")
"""A start without a signal is worth a look when one of these comes soon after it."""
PAUSES = _words("leep elay( setTimeout .poll( waitFor( ventually( ntil(")
ASKS = _words(
    """
    pid_exists is_alive isAlive IsAlive is_running isRunning HasExited try_wait GetProcessById returncode exitcode
    pgrep pidof tasklist getpgid _alive( alive? _running( sRunning( Alive( Running( ProcessState
    aemonize --daemon .poll( .pid" .pid' pid_file pidfile pidFile
    """
)
"""A function that pauses and asks with one of these is judged, whoever was to end what it asks for."""
WORDS = _words(
    """
    kill Kill erminat estroy bort ignal SIG proc Proc PROC pid Pid PID pawn popen Popen fork Fork leep wait Wait live
    join Join xit hild orker aemon unning ancel stop Stop elay setTimeout poll Poll cgroup Assign assign bind Bind isten
    nlink emove elete ename rmtree rm( rmdir rmSync xists lock Lock onnect urlopen equests fetch( http readiness ready
    Ready start Start open( cmd Cmd command Command run Run close Close hutdown ispose ead( readline recv gets Scan Read
    Wait race( Path( args
    """
)
"""A large part of a function without one of these says nothing of a process."""
SET_UP = _words("setUp SetUp setup before Before Initialize autouse")
"""A file without one of these has no set-up that is called before each test."""
LOOKS = _words(
    """
    leep elay pid Pid PID live poll Poll ait ssign port xist eturncode xit gone dead unning topped /proc/ inished bind
    isten emove nlink rm( onnect urlopen equests fetch( http
    """
)
"""A function that only starts or signals something through helpers is judged when it has one of these."""
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


def offsets(source: bytes, words: Iterable[bytes]) -> list[int]:
    """Return where any of `words` stands in `source`, sorted; many times as fast as a pattern of alternatives."""
    found: list[int] = []
    for word in words:
        at = source.find(word)
        while at >= 0:
            found.append(at)
            at = source.find(word, at + 1)
    found.sort()
    return found


def calls_of(source: bytes, names: Iterable[str]) -> list[int]:
    """Return where any of `names` stands in `source` as a whole word."""
    found: list[int] = []
    for name in names:
        word = name.encode()
        for at in offsets(source, (word,)):
            before, after = source[at - 1 : at], source[at + len(word) : at + len(word) + 1]
            if not (before.isalnum() or before == b"_" or after.isalnum() or after == b"_"):
                found.append(at)
    return found


def looks_at(source: bytes) -> bool:
    """Whether a function has any word by which it could look at a process or use what one holds."""
    return any(word in source for word in LOOKS)


def pauses_and_asks(source: bytes) -> bool:
    """Whether a function pauses, and then asks whether a process is there."""
    pause = min((at for word in PAUSES if (at := source.find(word)) >= 0), default=-1)
    return pause >= 0 and any(source.find(word, pause) >= 0 for word in ASKS)


def waits_after(source: bytes, start: int) -> bool:
    """Whether a start without a signal is worth a look: what comes soon after it may depend on its end."""
    part = source[start : start + 2000]
    return any(word in part for word in AFTER_START)
