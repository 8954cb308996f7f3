"""C and C++: fork, kill, waitpid, pidfd, Win32 processes and jobs, boost::process, QProcess, GoogleTest, Catch2."""

import re

import tree_sitter_c
import tree_sitter_cpp

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, build, gate, look, pause, ready, reaper, run, signal, spawn, use, wait
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r"(?:std\.)?system|bp\.system|boost\.process\.system"),
    spawn(r"(?:\w+\.)*(?:v?fork|posix_spawnp?|popen|CreateProcess(?:A|W|AsUser\w*)?|clone3?|forkpty|uv_spawn|pdfork|g_spawn_async\w*|g_subprocess_new\w*|"
          r"SDL_CreateProcess|subprocess_create|reproc_start)"),
    spawn(r".+\.(?:start|startDetached)", who="receiver", needs=r"[pP]roc|[cC]hild", unless=r"start\(\s*\d*\s*\)"),
    look(r"^kill", who="0", needs=r",\s*0\s*\)", alive=Alive.ZERO, counts_zombies=True),
    look(r"(?:\w+\.)*(?:getpgid|getsid)", who="0", alive=Alive.ZERO, counts_zombies=True, known=True, needs="(?!)"),
    look(r"(?:\w+\.)*(?:waitpid|wait4|waitid)|pdwait4_?", who="args", needs=r"WNOHANG", alive=Alive.PID),
    look(r"WaitForSingleObject", who="0", needs=r",\s*0\s*\)", alive=Alive.FALSE),
    look(r"GetExitCodeProcess", who="0", alive=Alive.TRUE, known=True),
    look(r"(?:\w+\.)*OpenProcess", who="-1", alive=Alive.TRUE, known=True, counts_zombies=True),
    look(r"(?:\w+\.)*(?:access|stat|lstat|opendir|filesystem\.exists|fs\.exists)", who="args", needs=r"/proc/", alive=Alive.ZERO, counts_zombies=True),  # noqa: E501
    signal(r"^killpg", who="0", scope=Scope.GROUP),
    signal(r"^(?:kill|tgkill|tkill|pidfd_send_signal|sigqueue|pdkill)", who="0"),
    signal(r"TerminateProcess", who="0", signal="KILL"),
    signal(r"TerminateJobObject", who="none", scope=Scope.TREE, signal="KILL"),
    signal(r"(?:uv_process_kill|g_subprocess_force_exit|g_subprocess_send_signal|reproc_kill|reproc_terminate)", who="0"),  # noqa: E501
    signal(r".+\.(?:terminate|kill)", signal="KILL", known=True),
    wait(r"^(?:waitpid|wait4|waitid|wait|wait3)", who="args"),
    wait(r"WaitForSingleObject(?:Ex)?", who="0", timeout=1),
    wait(r"WaitForMultipleObjects", who="args", timeout=3),
    wait(r"(?:g_subprocess_wait\w*|pclose|reproc_wait)", who="0"),
    wait(r".+\.(?:wait|wait_for|waitForFinished|wait_until)", timeout=0),
    look(r".+\.(?:running)"),
    look(r".+\.state", known=True),
    pause(r"(?:\w+\.)*sleep"), pause(r"(?:\w+\.)*usleep", signal="us"), pause(r"(?:\w+\.)*(?:sleep_for|sleep_until)"),
    pause(r"(?:\w+\.)*(?:Sleep|SleepEx|g_usleep|qSleep|QTest\.qWait|QTest\.qSleep|msleep|msleep_range|uv_sleep)", signal="ms"), pause(r"nanosleep"),  # noqa: E501
    ready(r"(?:\w+\.)*(?:read|fgets|getline|recv|recvmsg|poll|select|epoll_wait|accept|ReadFile|sem_wait|sigwait\w*|fread|sigsuspend|pause|waitForReadyRead|waitForStarted|"
          r"pthread_barrier_wait|g_main_loop_run|g_main_context_iteration|uv_run|event_base_dispatch|eventfd_read|TST_CHECKPOINT_WAIT)"),
    gate(r"ResumeThread|NtResumeProcess|write", who="args", needs=r"ResumeThread|NtResume|stdin|go_pipe|sync|gate|start_?pipe|pipe"),  # noqa: E501
    reaper(r"(?:std\.)?signal|sigaction", needs=r"SIGCHLD"),
    assign(r"(?:\w+\.)*AssignProcessToJobObject"),
    assign(r"(?:\w+\.)*(?:fprintf|dprintf|write|cg_write\w*|cg_enter|fputs)", needs=r"cgroup\.procs|cg_enter\([^)]*pid|procs_fd|cgroup_fd"),  # noqa: E501
    assign(r"(?:\w+\.)*setpgid", who="0", needs=r"setpgid\(\s*(?!0)[a-z_]*(?:pid|child)"),
    bind(r"bind|(?:\w+\.)*(?:flock|lockf|unlink|rmdir|remove|remove_all|rename|DeleteFileA?W?|RemoveDirectory\w*|mq_unlink|shm_unlink)|.+\.(?:bind|listen)"),
    use(r"connect|.+\.connect"),
)  # fmt: skip
PROPERTIES: tuple[()] = ()


def imports(source: str) -> tuple[str, ...]:
    """Return the files that `source` includes with quotes, with and without their suffix."""
    found = re.findall(r'^\s*#\s*include\s*"([^"]+)"', source, re.MULTILINE)
    return tuple(dict.fromkeys(re.sub(r"\.(?:h|hh|hpp|hxx|c|cc|cpp)$", "", path) for path in found))


C = Spec("c", (".c",), tree_sitter_c.language, IDIOMS, imports=imports, wait_unit_s=1e-3)
_CATCH = re.compile(
    rb"^([ \t]*)(?:TEST_CASE(?:_METHOD|_FIXTURE)?|SCENARIO|BOOST_\w*TEST_CASE)[ \t]*\(([^;{}]*?)\)(\s*\{)", re.MULTILINE
)


_QT = re.compile(rb"\b(public|private|protected)\s+(?:Q_SLOTS|slots)\s*:|\bQ_OBJECT\b(?![\w(])")


def prepare(source: bytes) -> bytes:
    """Write `TEST_CASE("title") {` as a function of the same length: the grammar knows no such macro, nor Qt's."""

    def function(found: re.Match[bytes]) -> bytes:
        title = (
            re.sub(
                rb"\W",
                b"_",
                found[2].split(b",")[-1 if found[0].lstrip().startswith(b"BOOST_FIXTURE") else 0].strip().strip(b'"'),
            )
            or b"test"
        )
        room = len(found[0]) - len(found[1]) - len(found[3]) - len(b"void (){") + 1
        lines = found[0].count(b"\n") - found[3].count(b"\n")
        head = found[1] + b"void " + (b"t" if title[:1].isdigit() else b"") + title[: max(room - 2, 1)] + b"()"
        return head.ljust(len(found[0]) - len(found[3]) - lines) + b"\n" * lines + found[3]

    source = _QT.sub(
        lambda found: found[1].ljust(len(found[0]) - 1) + b":" if found[1] else b" " * len(found[0]), source
    )
    return _CATCH.sub(function, source)


CPP = Spec(
    "cpp",
    (".cc", ".cpp", ".cxx", ".c++", ".hpp", ".hh", ".h", ".hxx", ".inl"),
    tree_sitter_cpp.language,
    IDIOMS,
    imports=imports,
    wait_unit_s=1e-3,
    prepare=prepare,
)
__all__ = ["CPP", "C", "build"]
