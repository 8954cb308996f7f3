"""Python: subprocess, multiprocessing, asyncio, anyio, trio, psutil, os, pexpect, pywin32 and ctypes jobs."""

import re
import sys

import tree_sitter_python

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import (
    assign,
    bind,
    build,
    effect,
    gate,
    look,
    pause,
    ready,
    reaper,
    run,
    signal,
    spawn,
    use,
    wait,
)
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r"subprocess\.(?:run|call|check_call|check_output|getoutput|getstatusoutput)|os\.system|check_output|check_call|subprocess_run|run_process"),
    spawn(r"(?:subprocess\.|psutil\.)?Popen|os\.popen|create_subprocess_(?:exec|shell)|open_process|"
          r"pexpect\.(?:spawn|popen_spawn\.PopenSpawn)|os\.(?:fork|forkpty|spawn\w+|posix_spawnp?)|pty\.(?:fork|spawn)|win32process\.CreateProcess|CreateProcess[AW]?|"
          r"popen|start_process"),
    build(r"(?:multiprocessing\.|mp\.|ctx\.|context\.)?Process", unless=r"^(?:psutil\.)?Process\((?:\w*pid|os\.|\d|\)|int\()|psutil\.Process\("),  # noqa: E501
    spawn(r".+\.start", who="receiver", known=True),
    look(r"psutil\.pid_exists|pid_exists", who="0", counts_zombies=True),
    look(r"psutil\.Process|Process", who="0", alive=Alive.NO_ERROR, counts_zombies=True, known=True),
    look(r"os\.kill", who="0", needs=r",\s*(?:0|signal\.SIG_DFL|sig=0)\s*\)", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"os\.killpg", who="0", needs=r",\s*0\s*\)", alive=Alive.NO_ERROR, counts_zombies=True),
    look(r"os\.getpgid|os\.getsid|os\.sched_getaffinity", who="0", alive=Alive.NO_ERROR, counts_zombies=True, known=True,  # noqa: E501
         needs=r"assert|raises|(?!)"),
    signal(r"os\.killpg|killpg", who="0", scope=Scope.GROUP),
    signal(r"signal\.pidfd_send_signal|os\.kill", who="0"),
    signal(r".+\.send_signal|.+\._?signal|.+\.sendintr|.+\.sendeof", who="receiver", unless=r"^signal\.signal"),
    signal(r".+\.terminate", signal="TERM"),
    signal(r".+\.(?:kill|_kill)", signal="KILL"),
    signal(r"win32process\.TerminateProcess|win32api\.TerminateProcess|(?:kernel32\.)?TerminateProcess", who="0", signal="KILL"),  # noqa: E501
    signal(r"(?:kernel32\.)?TerminateJobObject|win32job\.TerminateJobObject", who="none", scope=Scope.TREE, signal="KILL"),  # noqa: E501
    wait(r".+\.(?:communicate|wait_for_termination)", timeout="timeout"),
    wait(r"os\.wait(?:pid|id|3|4)?", who="args", unless=r"WNOHANG"),
    wait(r"psutil\.wait_procs|wait_procs", who="args", timeout="timeout"),
    wait(r".+\.join", timeout=0, known=True, silent=True),
    wait(r"gather|asyncio\.wait|as_completed", who="args", known=True),
    look(r"os\.wait(?:pid|id|4)", who="args", needs=r"WNOHANG", alive=Alive.PID),
    ready(r".+\.wait_closed|(?:\w*event\w*|\w*ready\w*|\w*barrier\w*|\w*started\w*)\.wait"),
    wait(r".+\.wait(?:_?noecho|status)?", timeout=0),
    wait(r".+\.close", known=True, needs=r"force|\.close\(\)"),
    look(r".+\.poll", alive=Alive.NULL, unless=r"poll\(\s*\d|poll\([a-z]"),
    look(r".+\.(?:is_alive|isalive|is_running)", counts_zombies=False),
    look(r"(?:os\.)?path\.(?:exists|isdir)", who="args", needs=r"/proc/|[\"']/?proc[\"']", counts_zombies=True),
    look(r".+\.(?:exists|is_dir)", who="any", needs=r"/proc/|[\"']/?proc[\"']", counts_zombies=True),
    look(r".+\.children", who="receiver", known=True, counts_zombies=True),
    look(r"open", who="args", needs=r"/proc/\{|/proc/%|[\"']/proc/", alive=Alive.NO_ERROR, counts_zombies=True),
    look(r".+\.(?:read_text|read_bytes|stat|lstat)", who="any", needs=r"/proc/", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"os\.(?:stat|lstat|listdir|readlink|scandir)", who="args", needs=r"/proc/", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"psutil\.(?:pids|process_iter)", who="none", counts_zombies=True),
    wait(r"(?:\w+\.)*sleep_forever", who="none"),
    pause(r"(?:time|asyncio|trio|anyio|gevent|eventlet)\.sleep|sleep"),
    wait(r"select\.select|.+\.select", who="args", known=True, reaps=False, unless=r"std(?:out|err)|pipe|sock|conn|reader|master|listen"),  # noqa: E501
    wait(r".+\.(?:expect|expect_exact)", needs=r"expect(?:_exact)?\(\s*(?:pexpect\.)?EOF\b"),
    ready(r".+\.stdout\.(?:readline|read|readexactly|readuntil|__next__|receive_some|receive)|.+\.stderr\.(?:readline|read|readline|readexactly)|"
          r".+\.(?:expect|expect_exact|read_nonblocking|recv|recv_bytes|readline|readuntil)|select\.select|.+\.select|next", who="args"),  # noqa: E501
    gate(r".+\.stdin\.(?:write|close|writelines|send_all)|win32process\.ResumeThread|ResumeThread|.+\.resume"),
    reaper(r"signal\.signal", needs=r"SIGCHLD"),
    assign(r"(?:win32job\.|kernel32\.|windll\.kernel32\.|_winapi\.)?AssignProcessToJobObject|.+\.(?:assign_process|assign|add_process)_?(?:to_job)?",
           needs=r"Assign|job|Job|cgroup"),
    assign(r"(?:.+\.)?(?:write|write_text)", needs=r"cgroup\.procs|procs_file|cgroup_procs|\btasks\b.*pid|cgroup.*/\s*[\"']cgroup"),  # noqa: E501
    assign(r"os\.setpgid", who="0", needs=r"setpgid\(\s*[A-Za-z_.]*(?:pid|proc)"),
    bind(r".+\.(?:bind|listen)|socket\.create_server|(?:socketserver\.\w*|HTTPServer|TCPServer|ThreadingHTTPServer)|start_server|create_server|"
         r"shutil\.(?:rmtree|move)|os\.(?:remove|unlink|rename|replace|rmdir)|.+\.(?:unlink|rmdir|rename|cleanup)|fcntl\.(?:flock|lockf)|FileLock|sqlite3\.connect|"
         r"lmdb\.open|plyvel\.DB|duckdb\.connect"),
    bind(r".+\.acquire", needs=r"[fF]ile|flock|path"),
    bind(r"os\.open|open", needs=r"O_EXCL|[\"']x[\"']"),
    bind(r".+\.exists|(?:os\.)?path\.exists", needs=r"pid_?file|lock|sock(?:et)?_?(?:path|file)?\b|\.pid\b"),
    effect(r".+\.(?:exists|read_text|read_bytes|is_file)|(?:os\.)?path\.(?:exists|isfile|getsize)"),
    use(r"(?:socket\.)?create_connection|.+\.(?:connect|connect_ex)|requests\.\w+|(?:urllib\.request\.)?urlopen|httpx\.\w+|http\.client\.HTTPConnection|open_connection"),
)  # fmt: skip
PROPERTIES = (look(r".+\.(?:returncode|exitcode|exitstatus)", alive=Alive.NULL, known=True),)


def imports(source: str) -> tuple[str, ...]:
    """Return the modules that `source` imports, as paths from its folder or any folder above it."""
    found = []
    for dots, module, names in re.findall(r"^\s*from\s+(\.*)([\w.]*)\s+import\s+([^\n#]+)", source, re.MULTILINE):
        up = "../" * (len(dots) - 1) if dots else ""
        path = module.replace(".", "/")
        found.append(up + path)
        found.extend(f"{up}{path}/{name}".replace("//", "/") for name in re.findall(r"\w+", names) if name != "as")
    for module in re.findall(r"^\s*import\s+([\w.]+)", source, re.MULTILINE):
        found.append(module.replace(".", "/"))
    return tuple(dict.fromkeys(f for f in found if f and f.partition("/")[0] not in sys.stdlib_module_names))


SPEC = Spec(
    name="python",
    suffixes=(".py", ".pyi", ".pyw"),
    grammar=tree_sitter_python.language,
    idioms=IDIOMS,
    properties=PROPERTIES,
    imports=imports,
    comments=(b"#",),
)
