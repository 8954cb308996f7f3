"""What looks like a race and is none: traces as text, each with its neighbour that is one."""

from sample import END, GROUP, LOOK, judge

from flakehunter.model import Mechanism

SERVER = """
5  100.0 execve("/usr/bin/server", ["server"], 0x1) = 0 <0.0001>
5  100.1 rt_sigaction(SIGUSR1, {sa_handler=0x1, sa_mask=[], sa_flags=0}, NULL, 8) = 0 <0.0001>
5  100.2 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>
5  100.3 kill(6, SIGUSR1) = 0 <0.0001>
6  100.4 rt_sigaction(SIGUSR1, {sa_handler=0x2, sa_mask=[], sa_flags=0}, NULL, 8) = 0 <0.0001>
6  100.5 +++ exited with 0 +++
5  100.6 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 6 <0.0001>
5  100.7 +++ exited with 0 +++
"""


def mechanisms(text: str) -> list[Mechanism]:
    return [finding.mechanism for finding in judge(text)]


def without(text: str, part: str) -> str:
    return "\n".join(line for line in text.splitlines() if part not in line) + "\n"


def test_who_is_born_with_a_handler_may_get_the_signal_before_its_own() -> None:
    assert judge(SERVER) == []
    assert mechanisms(without(SERVER, "sa_handler=0x1")) == [Mechanism.SIGNAL_BEFORE_READY]


def test_who_has_become_another_program_has_no_handler_from_its_birth() -> None:
    execve = '6  100.25 execve("/usr/bin/child", ["child"], 0x1) = 0 <0.0001>\n5  100.3 kill'
    assert mechanisms(SERVER.replace("5  100.3 kill", execve)) == [Mechanism.SIGNAL_BEFORE_READY]


def test_signal_long_after_readiness_races_nothing_unless_it_was_only_slept_for() -> None:
    ready = without(SERVER, "sa_handler=0x1").replace("6  100.4 ", "6  100.21 ")
    late = ready.replace("100.5 +", "104.5 +").replace("100.6 w", "104.6 w").replace("100.7 +", "104.7 +")
    assert mechanisms(late.replace("100.3 kill", "101.2 kill")) == [Mechanism.SIGNAL_BEFORE_READY]
    assert judge(late.replace("100.3 kill", "103.2 kill")) == []
    sleep = "5  100.22 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=2, tv_nsec=900000000}, NULL) = 0 <2.9>\n5  103.2 kill"
    assert mechanisms(late.replace("5  100.3 kill", sleep)) == [Mechanism.SIGNAL_BEFORE_READY]
    tick = "5  103.1 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=90000000}, NULL) = 0 <0.09>\n5  103.2 kill"
    assert judge(late.replace("5  100.3 kill", tick)) == [], "a tenth of a second has not parted what is 3 s apart"


def test_look_long_after_the_end_races_nothing_unless_it_was_only_slept_for() -> None:
    dead = "1700  1795323073.323350 +++ killed by SIGTERM +++\n"
    late = LOOK.replace("1795323073.344", "1795323076.344")
    end = END.replace("1795323073", "1795323077")
    assert mechanisms(GROUP + dead + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]
    assert judge(GROUP + dead + late + end) == []
    sleep = "1698  1795323073.3 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=3, tv_nsec=0}, NULL) = 0 <3.0>\n"
    assert mechanisms(GROUP + dead + sleep + late + end) == [Mechanism.FIXED_SLEEP]
    tick = "1698  1795323076.25 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=90000000}, NULL) = 0 <0.09>\n"
    assert judge(GROUP + dead + tick + late + end) == []


LOCK = """
5  100.0 execve("/usr/bin/test", ["test"], 0x1) = 0 <0.0001>
5  100.1 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>
6  100.2 openat(AT_FDCWD</w>, "/w/a.pid", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</w/a.pid> <0.0001>
5  100.3 clone(child_stack=NULL, flags=SIGCHLD) = 7 <0.0001>
7  100.4 openat(AT_FDCWD</w>, "/w/a.pid", O_RDONLY) = 3</w/a.pid> <0.0001>
7  100.5 kill(6, SIGTERM) = 0 <0.0001>
6  100.6 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=7, si_uid=0} ---
6  100.7 unlink("/w/a.pid") = 0 <0.0001>
6  100.8 +++ exited with 0 +++
7  100.9 openat(AT_FDCWD</w>, "/w/a.pid", O_RDONLY) = -1 ENOENT (No such file or directory) <0.0001>
7  101.0 +++ exited with 0 +++
5  101.1 wait4(7, [{WIFEXITED(s)}], 0, NULL) = 7 <0.0001>
5  101.2 openat(AT_FDCWD</w>, "/w/a.pid", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</w/a.pid> <0.0001>
5  101.3 +++ exited with 0 +++
"""


def test_who_has_seen_a_file_there_and_gone_tells_it_to_who_waits_for_it() -> None:
    """As `pg_ctl stop` does for the server that is started next."""
    assert judge(LOCK) == []
    assert mechanisms(without(LOCK, "7  100.9 ")) == [Mechanism.RESOURCE_STILL_HELD]


def test_file_that_was_removed_before_the_signal_is_not_waited_for() -> None:
    blind = without(without(LOCK, "7  100.9 "), "7  100.4 ")
    assert mechanisms(blind) == [Mechanism.RESOURCE_STILL_HELD]
    assert judge(blind.replace("6  100.7 unlink", "6  100.45 unlink")) == []


def test_what_a_runner_does_that_a_test_has_started_is_that_runners() -> None:
    """A test of one runner runs another one, whose controller ends its worker and looks."""

    def mark(tid: int, what: str, time: float) -> str:
        return f'{tid}  {time:.6f} access("/.flakehunter/{what}/id=t{tid}//w/a:3", F_OK) = -1 ENOENT (No) <0.00001>\n'

    text = (
        '4  99.0 execve("/usr/bin/python3", ["python3", "-m", "pytest"], 0x1) = 0 <0.0001>\n'
        + mark(4, "test", 99.1)
        + mark(4, "body", 99.2)
        + "4  99.3 clone(child_stack=NULL, flags=SIGCHLD) = 5 <0.0001>\n"
        + '5  100.0 execve("/usr/bin/node", ["node", "runner.mjs"], 0x1) = 0 <0.0001>\n'
        + "5  100.1 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>\n"
        + '6  100.2 execve("/usr/bin/node", ["node", "worker.mjs"], 0x1) = 0 <0.0001>\n'
        + mark(6, "test", 100.3)
        + "5  100.4 kill(6, SIGTERM) = 0 <0.0001>\n"
        + "6  100.5 +++ killed by SIGTERM +++\n"
        + "5  100.6 kill(6, 0) = -1 ESRCH (No) <0.0001>\n"
        + "5  100.8 +++ exited with 0 +++\n"
        + mark(4, "returned", 101.0)
        + mark(4, "tested", 101.1)
        + "4  101.2 +++ exited with 0 +++\n"
    )
    assert judge(text) == []
    assert mechanisms(text.replace(mark(6, "test", 100.3), "")) == [Mechanism.CHECK_BEFORE_EXIT]


def test_who_goes_on_to_wait_for_the_file_has_not_looked_too_early() -> None:
    """`pg_ctl stop` asks once for the server, and then waits until its pid file is gone."""
    alive = LOCK.replace("6  100.7", "7  100.65 kill(6, 0) = 0 <0.0001>\n6  100.7")
    failed = without(alive, "5  101.2 ").replace("5  101.3 +++ exited with 0", "5  101.3 +++ exited with 1")
    assert judge(failed) == []
    assert mechanisms(without(failed, "7  100.9 ")) == [Mechanism.CHECK_BEFORE_EXIT]
