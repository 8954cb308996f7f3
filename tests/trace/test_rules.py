"""The ordering rules on traces as text: language-free, one test for each edge."""

import pytest
from sample import DEATH, END, GROUP, LOOK, PAUSE, V1S, judge, world_of

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding
from flakehunter.trace.rules.deadlines import STRESSED_DEATH_S


def mechanisms(text: str) -> list[Mechanism]:
    return [finding.mechanism for finding in judge(text)]


def only(text: str) -> Finding:
    [finding] = judge(text)
    return finding


def test_single_look_after_a_pause_is_a_fixed_sleep_with_its_slack() -> None:
    finding = only(V1S)
    assert finding.mechanism is Mechanism.FIXED_SLEEP
    assert (finding.victim.pid, finding.looker.pid, finding.victim.argv) == (1700, 1698, ("sleep", "30"))
    assert finding.slack_s == pytest.approx(0.02065, abs=1e-6)
    assert "which came 20.7 ms before" in finding.text


def test_single_look_at_once_is_a_check_before_exit() -> None:
    assert mechanisms(GROUP + DEATH + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


def test_look_that_came_too_early_in_a_failed_run_has_negative_slack() -> None:
    stat = '1698  1795323073.323290 openat(AT_FDCWD</tmp>, "/proc/1700/stat", 0) = 3</proc/1700/stat> <0.00002>\n'
    read = '1698  1795323073.323320 read(3</proc/1700/stat>, "1700 (sleep) S 1699 1699", 8192) = 24 <0.00002>\n'
    failed = END.replace("exit_group(0)", "exit_group(1)").replace("exited with 0", "exited with 1")
    finding = only(GROUP + stat + read + DEATH + failed)
    assert finding.mechanism is Mechanism.CHECK_BEFORE_EXIT
    assert finding.slack_s == pytest.approx(-0.00006, abs=1e-6)
    assert judge(GROUP + stat + read + DEATH + END) == [], "who looks and finds it alive may well expect that"


def test_poll_loop_that_saw_it_alive_before_is_ordered() -> None:
    alive = "1698  1795323073.323300 kill(1700, 0) = 0 <0.00001>\n"
    gone = "1698  1795323073.345000 kill(1700, 0) = -1 ESRCH (No such process) <0.00001>\n"
    assert judge(GROUP + alive + PAUSE + gone + END) == []
    assert mechanisms(GROUP + PAUSE + gone + END) == [Mechanism.FIXED_SLEEP]


def test_look_after_a_word_of_another_thread_is_not_the_pauses() -> None:
    word = '1698  1795323073.343{} read(9<anon_inode:[eventfd]>, "\\1\\0\\0\\0\\0\\0\\0\\0", 1024) = 8 <0.00001>\n'
    assert mechanisms(GROUP + DEATH + PAUSE + word.format("800") + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]
    assert mechanisms(GROUP + DEATH + word.format("000") + PAUSE + LOOK + END) == [Mechanism.FIXED_SLEEP]


def test_mark_in_a_polling_loop_orders_a_single_look(tmp_path: object) -> None:
    loop = f"{tmp_path}/test.py"
    with open(loop, "w") as file:  # noqa: PTH123
        file.write(
            "while not gone(pid):\n    assert time.monotonic() < deadline\n    time.sleep(0.01)\nassert gone(pid)\n"
        )
    for line, expected in ((1, []), (4, [Mechanism.CHECK_BEFORE_EXIT])):
        mark = f'1698  1795323073.343990 access("/.flakehunter/open//{loop}:{line}", F_OK) = -1 ENOENT (No) <0.00001>\n'
        found = judge(GROUP + DEATH + mark + LOOK + END)
        assert [finding.mechanism for finding in found] == expected
        assert all(finding.look_mark and finding.look_mark.line == 4 for finding in found)


def test_pidfd_that_polled_readable_is_an_edge_for_the_exit_and_not_for_the_reaping() -> None:
    pidfd = "1698  1795323073.322800 pidfd_open(1700, 0) = 5<anon_inode:[pidfd]> <0.00001>\n"
    group = GROUP.replace("1698  1795323073.322867", pidfd + "1698  1795323073.322867")
    poll = "1698  1795323073.323400 select(6, [5<anon_inode:[pidfd]>], [], [], NULL) = 1 (in [5]) <0.00010>\n"
    assert judge(group + DEATH + poll + LOOK + END) == []
    kill = "1698  1795323073.345000 kill(1700, 0) = -1 ESRCH (No such process) <0.00001>\n"
    assert mechanisms(group + DEATH + poll + kill + END) == [Mechanism.ZOMBIE_COUNTED_ALIVE]


def test_pidfd_whose_poll_a_signal_interrupted_is_an_edge() -> None:
    pidfd = "1698  1795323073.322800 pidfd_open(1700, 0) = 5<anon_inode:[pidfd]> <0.00001>\n"
    poll = (
        "1698  1795323073.323400 poll([{fd=5<anon_inode:[pidfd]>, events=POLLIN}], 1, 5000 <unfinished ...>\n"
        "1698  1795323073.323450 <... poll resumed>) = ? ERESTART_RESTARTBLOCK (Interrupted by signal) <0.00005>\n"
        "1698  1795323073.323500 restart_syscall(<... resuming interrupted poll ...>) = 1 <0.00010>\n"
    )
    group = GROUP.replace("1698  1795323073.322867", pidfd + "1698  1795323073.322867")
    assert judge(group + DEATH + poll + LOOK + END) == []
    two = poll.replace("], 1, 5000", ", {fd=9<pipe:[5]>, events=POLLIN}], 2, 5000")
    assert mechanisms(group + DEATH + two + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT], "it may be the other one"


def test_answer_of_a_long_poll_that_strace_cuts_off_is_known_when_all_are_ready() -> None:
    pidfd = "1698  1795323073.322800 pidfd_open(1700, 0) = 50<anon_inode:[pidfd]> <0.00001>\n"
    group = GROUP.replace("1698  1795323073.322867", pidfd + "1698  1795323073.322867")
    asked = ", ".join(f"{{fd={number}<anon_inode:[pidfd]>, events=POLLIN}}" for number in range(10, 51))
    said = ", ".join(f"{{fd={number}, revents=POLLIN}}" for number in range(10, 42))
    poll = f"1698  1795323073.323400 poll([{asked}], 41, 5000) = 41 ([{said}, ...]) <0.00010>\n"
    assert judge(group + DEATH + poll + LOOK + END) == []
    some = poll.replace(" = 41 (", " = 33 (")
    assert mechanisms(group + DEATH + some + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]
    rest = ", ".join(f"{{fd={number}<anon_inode:[pidfd]>, events=POLLIN}}" for number in range(42, 50))
    again = f"1698  1795323073.323600 poll([{rest}], 8, 5000) = 1 ([{{fd=42, revents=POLLIN}}]) <0.00001>\n"
    assert judge(group + DEATH + some + again + LOOK + END) == [], "it does not ask for number 50 again"
    another = again.replace(rest, rest.replace("fd=49", "fd=50"))
    assert mechanisms(group + DEATH + some + another + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


def test_what_another_thread_learned_after_the_pause_orders_the_look_and_during_it_does_not() -> None:
    """The threads tell each other through memory; only what came while the pause ran cannot have ended it."""
    group = GROUP.replace("kill(-1699", "kill(1700").replace(
        "1698  1795323073.322926 wait4(1699,", "1698  1795323073.322926 wait4(1700,"
    )
    thread = "1698  1795323073.290000 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88) = 1697 <0.0001>\n"
    first, rest = group.lstrip().split("\n", 1)
    lines = [line for line in rest.splitlines() if "wait4" not in line and "1699  1795323073.323" not in line]
    before = "\n".join([first, thread.rstrip(), *lines]) + "\n"
    pidfd = "1697  {} waitid(P_PID, 1700, {{si_signo=SIGCHLD, si_pid=1700}}, WEXITED, NULL) = 0 <0.0001>\n"
    during = before + PAUSE.replace(
        "1698  1795323073.343652", pidfd.format("1795323073.330000") + "1698  1795323073.343652"
    )
    after = before + PAUSE + pidfd.format("1795323073.343800")
    assert mechanisms(during + LOOK + END) == [Mechanism.FIXED_SLEEP]
    assert judge(after + LOOK + END) == []


def test_look_before_the_wait_at_a_pidfd_decides_nothing() -> None:
    pidfd = "1698  1795323073.322800 pidfd_open(1700, 0) = 5<anon_inode:[pidfd]> <0.00001>\n"
    group = GROUP.replace("1698  1795323073.322867", pidfd + "1698  1795323073.322867")
    poll = "1698  1795323073.345000 poll([{fd=5, events=POLLIN}], 1, 5000) = 1 ([{fd=5, revents=POLLIN}]) <0.00010>\n"
    assert judge(group + DEATH + LOOK + poll + END) == []
    assert mechanisms(group + DEATH + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


def test_look_before_a_subreaper_hears_that_nobody_is_left_decides_nothing() -> None:
    first, rest = GROUP.lstrip().split("\n", 1)
    subreaper = first + "\n1698  1795323073.200000 prctl(PR_SET_CHILD_SUBREAPER, 1) = 0 <0.0001>\n" + rest
    none_left = "1698  1795323073.345000 waitid(P_ALL, 0, 0x7ff, WNOHANG|WEXITED, NULL) = -1 ECHILD (No) <0.0001>\n"
    assert judge(subreaper + DEATH + LOOK + none_left + END) == []
    assert judge(subreaper + DEATH + LOOK + none_left.replace("waitid(P_ALL, 0,", "wait4(-1,") + END) == []
    assert mechanisms(subreaper + DEATH + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]
    one = none_left.replace("P_ALL, 0", "P_PID, 1699")
    assert mechanisms(subreaper + DEATH + LOOK + one + END) == [Mechanism.CHECK_BEFORE_EXIT]
    assert mechanisms(GROUP + DEATH + LOOK + none_left + END) == [Mechanism.CHECK_BEFORE_EXIT], "orphans go elsewhere"
    assert judge(subreaper + DEATH + none_left.replace("3.345", "3.3435") + LOOK + END) == []


def test_short_waits_one_after_the_other_are_no_pause_together() -> None:
    pidfd = "1698  1795323073.322800 pidfd_open(1700, 0) = 5<anon_inode:[pidfd]> <0.00001>\n"
    group = GROUP.replace("1698  1795323073.322867", pidfd + "1698  1795323073.322867")
    polls = "".join(
        f"1698  1795323073.34{number}000 poll([{{fd=5, events=POLLIN}}], 1, 1) = {result} <0.00{number % 2}100>\n"
        for number, result in ((0, "1 ([{fd=5, revents=POLLIN}])"), (1, "0 (Timeout)"))
    )
    assert judge(group + DEATH + polls + LOOK + END) == []


def test_who_watches_a_process_anyway_does_not_look_because_of_the_signal() -> None:
    look = '1698  1795323073.{} openat(AT_FDCWD</tmp>, "/proc/1700/stat", 0) = 3</proc/1700/stat> <0.00001>\n'
    ready = "1699  1795323073.422685"
    group = GROUP.replace("1795323073.32", "1795323073.42")
    late = (PAUSE + LOOK + END).replace("1795323073.3", "1795323073.4")
    at_once = "".join(map(look.format, ("422600", "422610", "422620")))
    apart = "".join(map(look.format, ("360000", "380000", "400000")))
    assert judge(group.replace(ready, apart + ready) + late) == []
    assert mechanisms(group.replace(ready, at_once + ready) + late) == [Mechanism.FIXED_SLEEP]
    assert mechanisms(group + late) == [Mechanism.FIXED_SLEEP]


def test_end_of_output_is_no_edge() -> None:
    eof = '1698  1795323073.323400 read(3<pipe:[114941]>, "", 8192) = 0 <0.00001>\n'
    assert mechanisms(GROUP + DEATH + eof + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


def test_one_round_of_a_wait_with_a_deadline_is_no_look() -> None:
    """`subprocess.run(timeout=10)` of a script whose Python has no hooks: only its poll(2) tells of the deadline."""
    text = """
5  100.0 execve("/usr/bin/tool", ["tool"], 0x1) = 0 <0.0001>
5  100.05 pipe2([3<pipe:[7]>, 4<pipe:[7]>], O_CLOEXEC) = 0 <0.000010>
5  100.1 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>
6  100.2 write(1<pipe:[7]>, "said", 4) = 4 <0.0001>
5  100.3 poll([{fd=3<pipe:[7]>, events=POLLIN}], 1, 9990 <unfinished ...>
6  100.4 +++ exited with 0 +++
5  100.41 <... poll resumed>) = 1 ([{fd=3, revents=POLLHUP}]) <0.1100>
5  100.42 read(3<pipe:[7]>, "", 32768) = 0 <0.0001>
5  100.43 wait4(6, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 6 <0.0001>
5  100.5 +++ exited with 0 +++
"""
    assert judge(text) == []
    for_ever = text.replace(", 1, 9990 <", ", 1, -1 <")
    assert mechanisms(for_ever) == [Mechanism.CHECK_BEFORE_EXIT]
    over = text.replace(", 1, 9990 <", ", 1, 125 <")
    assert mechanisms(over) == [Mechanism.CHECK_BEFORE_EXIT], "the time is over: it does not wait on"
    mark = '5  100.425 access("/.flakehunter/wait//test.py:4", F_OK) = -1 ENOENT (No) <0.00001>\n'
    assert mechanisms(text.replace("5  100.43", f"{mark}5  100.43")) == [Mechanism.CHECK_BEFORE_EXIT]


def test_message_from_one_who_reaped_is_an_edge() -> None:
    """The shell lives on, reaps its child, and says so: whoever reads that knows."""
    group = GROUP.replace("kill(-1699", "kill(1700")
    group = "".join(
        line + "\n"
        for line in group.splitlines()
        if not line.startswith("1699  1795323073.323") and "wait4" not in line
    ).replace("1699  1795323073.322945 --- SIGTERM", "1700  1795323073.322945 --- SIGTERM")
    reap = "1699  1795323073.324000 wait4(-1, [{WIFSIGNALED(s)}], 0, NULL) = 1700 <0.00001>\n"
    say = '1699  1795323073.324100 write(1<pipe:[114941]>, "ended\\n", 6) = 6 <0.00001>\n'
    hear = '1698  1795323073.324200 read(3<pipe:[114941]>, "ended\\n", 8192) = 6 <0.00001>\n'
    assert judge(group + DEATH + reap + say + hear + LOOK + END) == []
    assert mechanisms(group + DEATH + reap + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


@pytest.mark.parametrize("reaped", ["323183", "322900"], ids=["after the delivery", "after the sending"])
def test_what_a_shell_reaped_while_it_died_of_the_same_signal_orders_nothing(reaped: str) -> None:
    reap = f"1699  1795323073.{reaped} wait4(-1, [{{WIFSIGNALED(s)}}], WNOHANG, NULL) = 1700 <0.000001>\n"
    death = "1700  1795323073.322890 +++ killed by SIGTERM +++\n"
    before = {"323183": "1699  1795323073.323185", "322900": "1699  1795323073.322945"}[reaped]
    text = GROUP.replace("1700  1795323073.323176 --- SIGTERM", "1700  1795323073.322880 --- SIGTERM")
    text = text.replace(before, death + reap + before)
    assert mechanisms(text + LOOK + END) == [Mechanism.CHECK_BEFORE_EXIT]


HANDLER = """
10  100.000000 execve("/usr/bin/python3", ["python3", "t.py"], 0x1) = 0 <0.0001>
10  100.010000 vfork() = 11 <0.0001>
11  100.020000 execve("/usr/bin/bash", ["bash", "service"], 0x1) = 0 <0.0001>
11  100.030000 rt_sigaction(SIGTERM, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER}, NULL, 8) = 0 <0.0001>
"""
READY = """
11  100.040000 write(1<pipe:[7]>, "ready\\n", 6) = 6 <0.0001>
10  100.041000 read(3<pipe:[7]>, "ready\\n", 6) = 6 <0.0001>
"""
TERM = """
10  100.070000 kill(11, SIGTERM) = 0 <0.0001>
11  100.070200 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=10, si_uid=0} ---
"""
DONE = """
11  100.080000 +++ exited with 0 +++
10  100.080100 wait4(11, [{WIFEXITED(s)}], 0, NULL) = 11 <0.0001>
10  100.090000 +++ exited with 0 +++
"""


def test_signal_that_nothing_orders_after_the_handler_is_found_with_its_slack() -> None:
    finding = only(HANDLER + TERM + DONE)
    assert finding.mechanism is Mechanism.SIGNAL_BEFORE_READY
    assert finding.slack_s == pytest.approx(0.07 - 0.0301)
    assert judge(HANDLER + READY + TERM + DONE) == []


def test_message_that_was_read_while_a_pause_ran_does_not_order_the_signal() -> None:
    pause = "10  100.012000 epoll_wait(4, [], 1024, 50, NULL, 8) = 1 <0.0290>\n"
    rest = "10  100.042000 epoll_wait(4, [], 1024, 20, NULL, 8) = 0 <0.0200>\n"
    assert mechanisms(HANDLER + pause + READY + rest + TERM + DONE) == [Mechanism.SIGNAL_BEFORE_READY]


def test_handler_of_a_run_time_that_dies_of_the_signal_does_not_count() -> None:
    assert judge(HANDLER + TERM + DONE.replace("exited with 0", "killed by SIGTERM", 1)) == []


def test_deadline_below_the_measured_tail_is_too_short() -> None:
    wait = "10  100.071000 poll([{fd=4<pipe:[9]>, events=POLLIN}], 1, {}) = 1 ([{{fd=4, revents=POLLIN}}]) <0.0095>\n"
    for milliseconds, expected in ((150, [Mechanism.DEADLINE_TOO_SHORT]), (5000, [])):
        text = HANDLER + READY + TERM + wait.replace("{}", str(milliseconds)).replace("{{", "{").replace("}}", "}")
        assert mechanisms(text + DONE) == expected
    assert STRESSED_DEATH_S * 1000 > 150


def test_heartbeat_of_another_thread_is_no_deadline() -> None:
    """A thread that tries to connect again and again (ZeroMQ's) is called off when the process's end ends the test."""
    thread = "10  100.045000 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 12 <0.0001>\n"
    ran_out = "12  100.050000 epoll_wait(5, [], 256, 20) = 0 <0.0205>\n"
    again = "12  100.071000 epoll_wait(5, [{events=EPOLLIN, data={u32=6}}], 256, 120) = 1 <0.0093>\n"
    text = HANDLER + READY + thread + ran_out + TERM + again
    assert judge(text + DONE) == []
    assert mechanisms(text.replace(ran_out, "") + DONE) == [Mechanism.DEADLINE_TOO_SHORT], "nothing tells what it is"
    kills = TERM.replace("10  100.07", "12  100.07").replace("si_pid=10", "si_pid=12")
    assert mechanisms(text.replace(TERM, kills) + DONE) == [Mechanism.DEADLINE_TOO_SHORT]


def test_heartbeat_that_went_on_before_the_signal_is_no_deadline() -> None:
    ran_out = "10  100.042000 epoll_wait(5, [], 256, 20) = 0 <0.0205>\n"
    again = "10  100.063000 epoll_wait(5, [{events=EPOLLIN, data={u32=6}}], 256, 120) = 1 <0.0050>\n"
    rest = "10  100.070500 epoll_wait(5, [{events=EPOLLIN, data={u32=7}}], 256, 112) = 1 <0.0098>\n"
    assert judge(HANDLER + READY + ran_out + again + TERM + rest + DONE) == []
    assert mechanisms(HANDLER + READY + TERM + rest + DONE) == [Mechanism.DEADLINE_TOO_SHORT]


@pytest.mark.parametrize(("deadline", "expected"), [("5.0", 0), ("inf", 0), ("0.2", 1)])
def test_slice_of_a_wait_on_a_pidfd_is_not_its_deadline(deadline: str, expected: int) -> None:
    """psutil.wait_procs waits for each of three processes for a third of a second, again and again."""
    mark = f'10  100.071000 access("/.flakehunter/wait/timeout={deadline}//t.py:3", F_OK) = -1 ENOENT (No) <0.00001>\n'
    opened = "10  100.071100 pidfd_open(11, 0) = 7 <0.0001>\n"
    wait = "10  100.071300 poll([{fd=7<anon_inode:[pidfd]>, events=POLLIN}], 1, 333) = 1 ([{fd=7, revents=POLLIN}]) "
    text = HANDLER + READY + TERM + mark + opened + wait + "<0.0088>\n" + DONE
    assert len(judge(text)) == expected
    assert mechanisms(text.replace(mark, "")) == [Mechanism.DEADLINE_TOO_SHORT], "nothing tells how long it goes on"


def test_deadline_of_a_wait_that_a_signal_interrupted_counts() -> None:
    """Who is traced stops at each signal, SIGCHLD too, and its poll(2) goes on by restart_syscall(2)."""
    wait = (
        "10  100.071000 poll([{fd=4<pipe:[9]>, events=POLLIN}], 1, MS <unfinished ...>\n"
        "10  100.075000 <... poll resumed>) = ? ERESTART_RESTARTBLOCK (Interrupted by signal) <0.0040>\n"
        "10  100.075100 restart_syscall(<... resuming interrupted poll ...>) = 1 <0.0054>\n"
    )
    text = HANDLER + READY + TERM + wait + DONE
    assert mechanisms(text.replace("MS", "150")) == [Mechanism.DEADLINE_TOO_SHORT]
    assert mechanisms(text.replace("MS", "5000")) == []


def test_port_bound_again_before_the_holder_is_known_to_be_gone() -> None:
    bind = "bind(3<socket:[5]>, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=0}, 16) = 0 <0.0001>"
    text = HANDLER + f"11  100.035000 {bind}\n" + READY + TERM + f"10  100.075000 {bind}\n" + DONE
    assert mechanisms(text) == [Mechanism.RESOURCE_STILL_HELD]
    ordered = (
        HANDLER
        + f"11  100.035000 {bind}\n"
        + READY
        + TERM
        + DONE.replace("10  100.090000", f"10  100.085000 {bind}\n10  100.090000")
    )
    assert judge(ordered) == []


ASSIGN = """
10  100.000000 execve("/usr/bin/python3", ["python3", "t.py"], 0x1) = 0 <0.0001>
10  100.010000 vfork() = 11 <0.0001>
11  100.020000 execve("/usr/bin/bash", ["bash"], 0x1) = 0 <0.0001>
11  100.021000 clone(child_stack=NULL, flags=SIGCHLD) = 12 <0.0001>
12  100.022000 execve("/usr/bin/sleep", ["sleep", "0.05"], 0x1) = 0 <0.0001>
10  100.040000 write(4</sys/fs/cgroup/x/cgroup.procs>, "12\\n", 3) = 3 <0.0001>
12  100.074000 +++ exited with 0 +++
10  100.090000 +++ exited with 0 +++
"""
ENTERS = '10  100.040000 write(4</sys/fs/cgroup/x/cgroup.procs>, "12\\n", 3) = 3 <0.0001>\n'


def test_process_that_ends_by_itself_after_its_assignment_is_found() -> None:
    finding = only(ASSIGN)
    assert finding.mechanism is Mechanism.ASSIGN_AFTER_EXIT
    assert finding.slack_s == pytest.approx(0.034)
    told = '12  100.050000 read(0<pipe:[8]>, "go\\n", 10) = 3 <0.0001>\n'
    go = '10  100.045000 write(5<pipe:[8]>, "go\\n", 3) = 3 <0.0001>\n'
    assert judge(ASSIGN.replace("12  100.074000", go + told + "12  100.074000")) == []


def test_thread_belongs_to_its_process_and_a_reused_pid_is_another_one() -> None:
    text = """
10  100.0 execve("/usr/bin/node", ["node"], 0x1) = 0 <0.0001>
10  100.1 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SIGHAND, exit_signal=0}, 88) = 11 <0.0001>
11  100.2 vfork() = 12 <0.0001>
12  100.3 +++ exited with 0 +++
11  100.4 wait4(12, [{WIFEXITED(s)}], 0, NULL) = 12 <0.0001>
10  100.5 vfork() = 12 <0.0001>
12  100.6 +++ exited with 1 +++
11  100.7 +++ exited with 0 +++
10  100.8 +++ exited with 0 +++
"""
    world = world_of(text)
    assert [(process.pid, process.status) for process in world.processes] == [(10, 0), (12, 0), (12, 1)]
    assert [process.parent.pid for process in world.processes[1:] if process.parent] == [10, 10]


def test_child_whose_first_call_is_printed_before_its_parents_clone_ends_has_its_parent() -> None:
    world = world_of(GROUP)
    assert [process.parent.pid if process.parent else None for process in world.processes] == [None, 1698, 1699]
    assert [process.pgid for process in world.processes[1:]] == [1699, 1699]


MAKES = """
11  100.076000 openat(AT_FDCWD</tmp>, "/tmp/journal.z", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4</tmp/journal.z> <0.0001>
"""
SLEEPS = """
10  100.071000 clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0, tv_nsec=10000000}, NULL) = 0 <0.0101>
"""
LOOKS_FOR_IT = '10  100.0{} newfstatat(AT_FDCWD</tmp>, "/tmp/journal.z", {{st_mode=S_IFREG|0644}}, 0) = 0 <0.0001>\n'


def test_file_made_because_of_a_signal_is_looked_for_after_a_pause() -> None:
    making = HANDLER + READY + TERM + MAKES + SLEEPS
    end = DONE.replace("100.080", "100.086").replace("100.0801", "100.0861")
    finding = only(making + LOOKS_FOR_IT.format(82) + end)
    assert finding.mechanism is Mechanism.FIXED_SLEEP
    assert finding.slack_s == pytest.approx(0.082 - 0.0761)
    assert "nothing orders the look after its making" in finding.text


def test_who_looked_in_vain_before_is_waiting_for_the_file() -> None:
    vain = '10  100.070500 newfstatat(AT_FDCWD</tmp>, "/tmp/journal.z", 0x7ffd, 0) = -1 ENOENT (No) <0.0001>\n'
    end = DONE.replace("100.080", "100.086").replace("100.0801", "100.0861")
    assert judge(HANDLER + READY + TERM + vain + MAKES + SLEEPS + LOOKS_FOR_IT.format(82) + end) == []
    last = "10  100.090000"
    assert judge(HANDLER + READY + TERM + MAKES + DONE.replace(last, LOOKS_FOR_IT.format(85) + last)) == []


def test_port_of_a_process_that_ended_unasked_is_a_race_too() -> None:
    bind = "bind(3<socket:[5]>, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=0}, 16) = 0 <0.0001>"
    text = HANDLER + f"11  100.035000 {bind}\n" + READY + "11  100.050000 +++ exited with 0 +++\n"
    end = "10  100.090000 +++ exited with 0 +++\n"
    assert mechanisms(text + f"10  100.075000 {bind}\n" + end) == [Mechanism.RESOURCE_STILL_HELD]
    wait = "10  100.070000 wait4(11, [{WIFEXITED(s)}], 0, NULL) = 11 <0.0001>\n"
    assert judge(text + wait + f"10  100.075000 {bind}\n" + end) == []


def test_signal_carries_what_its_sender_knew_to_who_passes_it_on() -> None:
    """A wrapper forwards a signal that the test sent it when the command had said that it is ready."""
    wrapper = HANDLER + READY
    passed_on = """
9  100.045000 read(3<pipe:[7]>, "ready\\n", 6) = 6 <0.0001>
9  100.060000 kill(10, SIGTERM) = 0 <0.0001>
10  100.060200 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=9, si_uid=0} ---
"""
    first = '9  99.000000 execve("/usr/bin/python3", ["pytest"], 0x1) = 0 <0.0001>\n9  99.1 vfork() = 10 <0.0001>\n'
    unheard = wrapper.replace('10  100.041000 read(3<pipe:[7]>, "ready\\n", 6) = 6 <0.0001>\n', "")
    blind = "".join(line + "\n" for line in passed_on.splitlines() if "read(" not in line)
    assert judge(first + unheard + passed_on + TERM + DONE) == []
    pause = "10  100.042000 clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0, tv_nsec=27000000}, NULL) = 0 <0.0271>\n"
    assert judge(first + unheard + passed_on + pause + TERM + DONE) == [], "a handler runs during a pause too"
    assert mechanisms(first + unheard + blind + TERM + DONE) == [Mechanism.SIGNAL_BEFORE_READY]


def test_orphan_that_came_to_the_caller_cannot_vanish_before_it_is_reaped() -> None:
    pidfd = "10  100.040000 pidfd_open(12, 0) = 5<anon_inode:[pidfd]> <0.0001>\n"
    text = "".join(line + "\n" for line in ASSIGN.splitlines() if "write(4" not in line).replace(
        "12  100.074000", pidfd + "12  100.074000"
    )
    assert mechanisms(text) == [Mechanism.ASSIGN_AFTER_EXIT]
    reap = "10  100.080000 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 12 <0.0001>\n"
    assert judge(text.replace("10  100.090000", reap + "10  100.090000")) == []


def test_pidfd_that_is_opened_to_wait_is_no_assignment() -> None:
    mark = '10  100.039000 access("/.flakehunter/wait/timeout=inf//t.py:3", F_OK) = -1 ENOENT (No) <0.00001>\n'
    pidfd = "10  100.040000 pidfd_open(12, 0) = 5<anon_inode:[pidfd]> <0.0001>\n"
    assert mechanisms(ASSIGN.replace(ENTERS, pidfd)) == [Mechanism.ASSIGN_AFTER_EXIT]
    assert judge(ASSIGN.replace(ENTERS, mark + pidfd)) == []


def test_pidfd_of_a_process_that_is_asked_for_afterwards_is_no_race() -> None:
    pidfd = "10  100.040000 pidfd_open(12, 0) = 5<anon_inode:[pidfd]> <0.0001>\n"
    stat = '10  100.040300 openat(AT_FDCWD</tmp>, "/proc/12/stat", O_RDONLY) = 6</proc/12/stat> <0.0001>\n'
    assert judge(ASSIGN.replace(ENTERS, pidfd + stat)) == []
    listing = '10  100.039000 openat(AT_FDCWD</tmp>, "/proc", O_RDONLY|O_DIRECTORY) = 7</proc> <0.0001>\n'
    assert judge(ASSIGN.replace(ENTERS, listing + pidfd + stat)) == []
    assert judge(ASSIGN.replace(ENTERS, listing + stat.replace("100.0403", "100.0395") + pidfd + stat)) == []
    assert mechanisms(ASSIGN.replace(ENTERS, listing + pidfd)) == [Mechanism.ASSIGN_AFTER_EXIT]
    before = stat.replace("100.0403", "100.0390")
    assert mechanisms(ASSIGN.replace(ENTERS, before + pidfd)) == [Mechanism.ASSIGN_AFTER_EXIT]
    gone = stat.replace("100.0403", "100.0750").replace("= 6</proc/12/stat>", "= -1 ENOENT (No such file)")
    last = "10  100.090000"
    assert judge(ASSIGN.replace(ENTERS, pidfd).replace(last, gone + last)) == []


def test_zombie_whose_parent_waits_for_a_word_is_kept() -> None:
    """The first process of a PID namespace reaps when its maker has told it that the pidfd is open."""
    pidfd = "10  100.040000 pidfd_open(12, 0) = 5<anon_inode:[pidfd]> <0.0001>\n"
    word = (
        '10  100.075000 write(6<pipe:[8]>, "x", 1) = 1 <0.0001>\n'
        '11  100.076000 read(7<pipe:[8]>, "x", 1) = 1 <0.0001>\n'
        "11  100.077000 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 12 <0.0001>\n"
    )
    last = "10  100.090000"
    assert judge(ASSIGN.replace(ENTERS, pidfd).replace(last, word + last)) == []
    early = "11  100.074500 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 12 <0.0001>\n" + word[: word.index("11  100.077")]
    assert mechanisms(ASSIGN.replace(ENTERS, pidfd).replace(last, early + last)) == [Mechanism.ASSIGN_AFTER_EXIT]


def test_zombie_in_a_namespace_is_kept_by_its_first_process() -> None:
    text = (
        '10  100.000000 execve("/usr/bin/python3", ["python3", "t.py"], 0x1) = 0 <0.0001>\n'
        "10  100.010000 unshare(CLONE_NEWPID) = 0 <0.0001>\n"
        "10  100.020000 clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.0001>\n"
        '12  100.030000 execve("/usr/bin/sleep", ["sleep", "0.05"], 0x1) = 0 <0.0001>\n'
        "10  100.040000 pidfd_open(12, 0) = 5<anon_inode:[pidfd]> <0.0001>\n"
        '10  100.045000 write(6<pipe:[8]>, "x", 1) = 1 <0.0001>\n'
        '11  100.046000 read(7<pipe:[8]>, "x", 1) = 1 <0.0001>\n'
        "12  100.074000 +++ exited with 0 +++\n"
        "10  100.090000 +++ exited with 0 +++\n"
    )
    assert judge(text) == []
    assert mechanisms(text.replace("unshare(CLONE_NEWPID)", "unshare(CLONE_NEWNS)")) == [Mechanism.ASSIGN_AFTER_EXIT]


def test_orphan_comes_to_the_nearest_subreaper_that_lives() -> None:
    text = """
10  100.0 execve("/usr/bin/a", ["a"], 0x1) = 0 <0.0001>
10  100.1 prctl(PR_SET_CHILD_SUBREAPER, 1) = 0 <0.0001>
10  100.2 fork() = 11 <0.0001>
11  100.3 fork() = 12 <0.0001>
11  100.4 +++ exited with 0 +++
12  100.5 +++ exited with 0 +++
10  100.6 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 12 <0.0001>
"""
    test, _between, orphan = world_of(text).processes
    assert (orphan.adopted_by, orphan.reaped_by) == (test, test)


def test_numbers_of_a_pid_namespace_name_nobody_outside() -> None:
    """What a process of the namespace calls 2 is not process 2, and its children are known by their own lines."""
    text = """
10  100.0 execve("/usr/bin/unshare", ["unshare"], 0x1) = 0 <0.0001>
10  100.1 unshare(CLONE_NEWPID) = 0 <0.0001>
10  100.2 clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.0001>
11  100.3 clone(child_stack=NULL, flags=SIGCHLD) = 2 <0.0001>
12  100.4 execve("/usr/bin/sleep", ["sleep", "30"], 0x1) = 0 <0.0001>
11  100.5 kill(2, SIGTERM) = 0 <0.0001>
12  100.6 +++ killed by SIGTERM +++
11  100.7 kill(2, 0) = -1 ESRCH (No such process) <0.0001>
11  100.8 +++ exited with 0 +++
10  100.9 +++ exited with 0 +++
"""
    assert judge(text) == []
    world = world_of(text)
    assert [process.pid for process in world.processes] == [10, 11, 12]
    assert [process.parent.pid if process.parent else None for process in world.processes] == [None, 10, 11]


def test_births_of_a_pid_namespace_at_the_same_time_are_births_in_it() -> None:
    text = """
10  100.0 execve("/usr/bin/unshare", ["unshare"], 0x1) = 0 <0.0001>
10  100.1 unshare(CLONE_NEWPID) = 0 <0.0001>
10  100.2 clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.0001>
11  100.3 clone(child_stack=NULL, flags=SIGCHLD) = 2 <0.0001>
11  100.4 clone(child_stack=NULL, flags=SIGCHLD) = 3 <0.0001>
12  100.5 execve("/usr/bin/sleep", ["sleep", "30"], 0x1) = 0 <0.0001>
13  100.6 execve("/usr/bin/sleep", ["sleep", "30"], 0x1) = 0 <0.0001>
"""
    assert [process.namespaced for process in world_of(text).processes] == [False, True, True, True]


def test_end_of_a_pid_namespaces_first_process_is_the_end_of_all_of_it() -> None:
    text = """
10  100.0 execve("/usr/bin/unshare", ["unshare"], 0x1) = 0 <0.0001>
10  100.1 unshare(CLONE_NEWPID) = 0 <0.0001>
10  100.2 clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.0001>
11  100.3 clone(child_stack=NULL, flags=SIGCHLD) = 2 <0.0001>
12  100.4 execve("/usr/bin/sleep", ["sleep", "30"], 0x1) = 0 <0.0001>
10  100.5 kill(11, SIGKILL) = 0 <0.0001>
12  100.6 +++ killed by SIGKILL +++
11  100.7 +++ killed by SIGKILL +++
10  100.8 wait4(11, [{WIFSIGNALED(s)}], 0, NULL) = 11 <0.0001>
10  100.9 kill(12, 0) = -1 ESRCH (No such process) <0.0001>
10  101.0 +++ exited with 0 +++
"""
    assert judge(text) == []
    wait = "10  100.8 wait4(11, [{WIFSIGNALED(s)}], 0, NULL) = 11 <0.0001>\n"
    assert mechanisms(text.replace(wait, "")) == [Mechanism.SURVIVOR]


def test_child_that_lives_and_dies_before_its_parents_call_returns_is_one_process() -> None:
    text = """
10  100.0 execve("/usr/bin/bash", ["bash"], 0x1) = 0 <0.0001>
10  100.1 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
11  100.2 execve("/usr/bin/true", ["true"], 0x1) = 0 <0.0001>
11  100.3 +++ exited with 0 +++
10  100.4 <... clone resumed>) = 11 <0.3>
10  100.5 +++ exited with 0 +++
"""
    assert [(process.pid, process.status) for process in world_of(text).processes] == [(10, 0), (11, 0)]


def test_lock_that_goes_on_after_a_signal_is_no_pause() -> None:
    """A futex is not traced, but its restart is; what thread it was woken by has told it what it knew."""
    old = "1698  1795323073.298000 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=1000000}, NULL) = 0 <0.0011>\n"
    head, rest = GROUP.lstrip().split("1698  1795323073.300000", 1)
    text = head + old + "1698  1795323073.300000" + rest + DEATH
    thread = (
        "1697  1795323073.324000 waitid(P_PID, 1700, {si_signo=SIGCHLD, si_pid=1700}, WEXITED, NULL) = 0 <0.0001>\n"
    )
    born = "1698  1795323073.290000 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88) = 1697 <0.0001>\n"
    restart = "1698  1795323073.323900 restart_syscall(<... resuming interrupted {} ...>) = 0 <0.000400>\n"
    first, others = text.split("\n", 1)
    before = first + "\n" + born + others
    assert judge(before + thread + restart.format("kill") + LOOK + END) == []
    assert mechanisms(before + thread + restart.format("clock_nanosleep") + LOOK + END) == [Mechanism.FIXED_SLEEP]
