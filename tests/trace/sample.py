"""A real trace: v1s of the corpus, shortened to the lines that matter; and a way to judge text as a trace."""

# ruff: noqa: E501 - lines of strace are as long as they are
from flakehunter.trace.findings import Finding
from flakehunter.trace.reader import read_records
from flakehunter.trace.rules import find_all
from flakehunter.trace.watching import ENTERED, RETURNED
from flakehunter.trace.world import World

GROUP = r"""
1698  1795323073.100000 execve("/usr/bin/python3", ["python3", "flawed.py"], 0x7ffc10f3ea78 /* 35 vars */) = 0 <0.000300>
1698  1795323073.295000 pipe2([3<pipe:[114941]>, 4<pipe:[114941]>], O_CLOEXEC) = 0 <0.000010>
1698  1795323073.300000 vfork( <unfinished ...>
1699  1795323073.300100 setsid() = 1699 <0.000008>
1699  1795323073.300300 execve("/usr/bin/bash", ["bash", "-c", "sleep 30 & echo $!; wait"], 0x5561274bd8c0 /* 35 vars */ <unfinished ...>
1698  1795323073.300900 <... vfork resumed>) = 1699 <0.000900>
1699  1795323073.301000 <... execve resumed>) = 0 <0.000700>
1698  1795323073.301100 read(3<pipe:[114941]>,  <unfinished ...>
1699  1795323073.310000 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7ff) = 1700 <0.000150>
1700  1795323073.321900 execve("/usr/bin/sleep", ["sleep", "30"], 0x5561274bd8c0 /* 35 vars */) = 0 <0.000421>
1699  1795323073.322685 write(1<pipe:[114941]>, "1700\n", 5 <unfinished ...>
1698  1795323073.322719 <... read resumed>"1700\n", 8192) = 5 <0.021619>
1699  1795323073.322732 <... write resumed>) = 5 <0.000047>
1698  1795323073.322867 kill(-1699, SIGTERM) = 0 <0.000030>
1698  1795323073.322926 wait4(1699,  <unfinished ...>
1699  1795323073.322945 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1698, si_uid=0} ---
1700  1795323073.323176 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1698, si_uid=0} ---
1699  1795323073.323185 +++ killed by SIGTERM +++
1698  1795323073.323220 <... wait4 resumed>[{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], 0, NULL) = 1699 <0.000294>
"""
PAUSE = """
1698  1795323073.323283 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=2495, tv_nsec=513096952},  <unfinished ...>
1700  1795323073.323350 +++ killed by SIGTERM +++
1698  1795323073.343652 <... clock_nanosleep resumed>NULL) = 0 <0.020369>
"""
DEATH = "\n1700  1795323073.323350 +++ killed by SIGTERM +++\n"
LOOK = """
1698  1795323073.344000 openat(AT_FDCWD</tmp>, "/proc/1700/stat", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory) <0.000020>
"""
END = """
1698  1795323073.356093 exit_group(0)   = ?
1698  1795323073.357319 +++ exited with 0 +++
"""
V1S = (GROUP + PAUSE + LOOK + END).replace("\n\n", "\n").lstrip()


def world_of(text: str) -> World:
    """Return the world at the end of a trace."""
    world = World(ENTERED, RETURNED)
    world.consume_all(read_records([text.replace("\n\n", "\n").lstrip().encode()]))
    return world


def judge(text: str) -> list[Finding]:
    """Return the findings of a trace."""
    return find_all(world_of(text))
