"""PHP: proc_open, pcntl, posix, symfony/process, PHPUnit, Pest."""

import re

import tree_sitter_php

from flakehunter.scan.events import Alive
from flakehunter.scan.idioms import assign, bind, build, effect, gate, look, pause, ready, run, signal, spawn, use, wait
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r"(?:shell_)?exec|system|passthru|.+\.(?:run|mustRun)"),
    build(r"(?:Symfony\\Component\\Process\\)?Process(?:\.fromShellCommandline)?"),
    spawn(r".+\.start", who="receiver", needs=r"[pP]roc|[cC]hild|[wW]orker|\$p\b|[sS]erver"),
    spawn(r"proc_open|popen|pcntl_fork"),
    look(r"posix_kill", who="0", needs=r",\s*0\s*\)", alive=Alive.TRUE, counts_zombies=True),
    look(r"posix_getpgid|posix_getsid", who="0", alive=Alive.TRUE, counts_zombies=True),
    signal(r"posix_kill", who="0"),
    signal(r"proc_terminate", who="0"),
    signal(r".+\.(?:signal|kill|terminate)"),
    wait(r".+\.stop", timeout=0),
    look(r"pcntl_wait(?:pid)?", who="0", needs=r"WNOHANG", alive=Alive.PID),
    wait(r"pcntl_waitpid|proc_close|pclose", who="0"), wait(r"pcntl_wait", who="none"),
    wait(r".+\.wait"),
    look(r"proc_get_status", who="0"),
    look(r".+\.isRunning"), look(r".+\.isTerminated", alive=Alive.FALSE),
    pause(r"sleep"), pause(r"usleep", signal="us"),
    pause(r"time_nanosleep|(?:\w+\.)*(?:Async|Amp|Coroutine)\.(?:delay|sleep)"),
    look(r"(?:file_exists|is_dir|is_readable|file_get_contents)", who="args", needs=r"/proc/", counts_zombies=True),
    ready(r"fgets|fread|stream_get_contents|stream_get_line|stream_select|fscanf|.+\.(?:waitUntil|getIncrementalOutput)|stream_socket_accept"),
    gate(r"fwrite|.+\.(?:write|close)", who="none", needs=r"pipes\[0\]|[iI]nput"),
    assign(r"file_put_contents|fwrite|fputs", needs=r"cgroup\.procs|cgroup\S*/tasks"),
    bind(r"stream_socket_server|socket_bind|unlink|rmdir|rename|flock|.+\.remove|socket_create_listen"),
    bind(r"file_exists", needs=r"pid_?[fF]ile|[lL]ock|[sS]ock|\.pid\b"),
    effect(r"file_exists|file_get_contents|is_file"),
    use(r"fsockopen|stream_socket_client|socket_connect|curl_exec"),
)  # fmt: skip
PROPERTIES: tuple[()] = ()


def imports(source: str) -> tuple[str, ...]:
    """Return the files that `source` includes from its own folder."""
    found = re.findall(r"""(?:require|include)(?:_once)?\s*\(?\s*(?:__DIR__\s*\.\s*)?['"]/?([^'"]+)\.php['"]""", source)
    return tuple(found)


SPEC = Spec(
    name="php",
    suffixes=(".php", ".phpt"),
    grammar=tree_sitter_php.language_php,
    idioms=IDIOMS,
    sleep_unit_s=1.0,
    imports=imports,
    same_folder=True,
    comments=(b"//", b"#"),
)
