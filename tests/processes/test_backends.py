"""Every backend against every tree: afterwards no member runs, or the report names it; an outside observer judges."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
import pytest
from cgroups import cgroups_of
from judge import check_members, end
from load import burning
from trees import TREES, Observer, Tree

if sys.platform != "linux":
    pytest.skip("backends of Linux", allow_module_level=True)

from flakehunter.groupkill import KillReport, Member
from flakehunter.groupkill.choice import load_backend, probe

STRONG = ["cgroup", "subreaper", "cgroup-v1", "cookie", "pid-namespace"]
PARTIAL = ["process-group", "session", "process-tree", "naive"]
ALONE = {"exits-at-once", "re-exec"}
"""Trees of one process."""
ALL_UNDER_LOAD = {"cgroup", "subreaper", "process-group"}
"""What `auto` takes, and what most projects have: under load these meet every tree, the others the quick ones."""
QUICK = ("shell-and-sleep", "setsid", "daemon", "ignores-term", "stopped", "leader-gone")


def need(backend: str) -> None:
    """Leave the test out where the probe of that backend says no."""
    capability = probe(backend)
    if not capability.usable:
        pytest.skip(capability.reason)


def leader_of(report: KillReport) -> Member:
    """Return the leader of a process group of its own: not always the first, since pids begin anew after the last."""
    return next(member for member in report.members if member.pid == member.pgid)


@pytest.mark.parametrize("backend", STRONG)
@pytest.mark.parametrize("name", TREES)
def test_strong_backends_end_every_tree(backend: str, name: str, observer: Observer) -> None:
    need(backend)
    tree = TREES[name]
    report = end(backend, tree, observer, signal.SIGKILL)
    assert report.clean, report
    assert not report.escalations
    assert len(report.members) >= tree.members
    assert report.verified_by
    check_members(report)


def check_partial(backend: str, name: str, report: KillReport) -> None:
    """Check that a partial backend left whom it cannot reach, and nobody else, and says how that one got away."""
    if backend == "naive":
        assert report.clean == (name in ALONE)
    elif backend == "process-group":
        assert report.clean == (not TREES[name].leaves_group)
        assert all("setsid" in member.escaped for member in report.survivors)
    elif not TREES[name].leaves_group and name != "leader-gone":
        assert report.clean


# A chain that goes on hopping has another pid in the report than a moment later: no backend that leaves it is judged.
LEAVES_CHAINS = {"naive", "process-tree"}


def trees_for(backend: str) -> list[str]:
    """Return the trees that stand still when `backend` has done what it can."""
    return [name for name in TREES if name != "fork-chain" or backend not in LEAVES_CHAINS]


@pytest.mark.parametrize(("backend", "name"), [(backend, name) for backend in PARTIAL for name in trees_for(backend)])
def test_partial_backends_name_whom_they_leave(backend: str, name: str, observer: Observer) -> None:
    report = end(backend, TREES[name], observer, signal.SIGKILL)
    check_members(report)
    check_partial(backend, name, report)


@pytest.fixture(scope="module")
def ended_under_load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Future[KillReport]]]:
    """End all backends' trees, twelve at a time, while eight processes burn: a load for each takes twice as long."""
    folder = tmp_path_factory.mktemp("under-load")
    usable = [backend for backend in (*STRONG, *PARTIAL) if probe(backend).usable]
    pairs = [(backend, name) for backend in usable for name in trees_under_load(backend)]
    observers = {pair: Observer(folder) for pair in pairs}
    try:
        with burning(8), ThreadPoolExecutor(12) as pool:
            ended = {
                pair: pool.submit(end, pair[0], TREES[pair[1]], observer, signal.SIGKILL)
                for pair, observer in observers.items()
            }
        yield ended
    finally:
        for observer in observers.values():
            observer.end_all()


def trees_under_load(backend: str) -> Sequence[str]:
    """Return the trees that `backend` meets under load."""
    return trees_for(backend) if backend in ALL_UNDER_LOAD else QUICK


@pytest.mark.slow
@pytest.mark.parametrize("backend", [*STRONG, *PARTIAL])
def test_under_load_no_member_is_left_unnamed(
    backend: str, ended_under_load: dict[tuple[str, str], Future[KillReport]]
) -> None:
    need(backend)
    for name in trees_under_load(backend):
        report = ended_under_load[backend, name].result()
        check_members(report)
        if backend in STRONG:
            assert report.clean, (name, report)
        else:
            check_partial(backend, name, report)


@pytest.mark.parametrize("backend", ["cgroup", "subreaper", "process-group", "cookie"])
def test_sigterm_wakes_stopped_members_and_needs_no_escalation(backend: str, observer: Observer) -> None:
    report = end(backend, TREES["stopped"], observer, signal.SIGTERM, grace_s=30)
    assert report.clean
    assert report.escalations == ()
    stopped = next(member for member in report.members if member.argv[0] == "sleep")
    assert [name for name, _ in stopped.signals] == ["SIGTERM", "SIGCONT"]
    assert stopped.exit_ms is not None


@pytest.mark.parametrize("backend", ["cgroup", "subreaper", "process-group"])
def test_a_handler_of_200_ms_is_waited_for(backend: str, observer: Observer) -> None:
    report = end(backend, TREES["slow-handler"], observer, signal.SIGTERM, grace_s=30)
    assert report.clean
    assert report.escalations == ()
    leader = leader_of(report)
    assert leader.status == 0
    assert leader.exit_ms is not None
    assert leader.exit_ms >= 200


@pytest.mark.parametrize("backend", ["cgroup", "subreaper", "process-group"])
def test_who_ignores_sigterm_is_killed_after_the_grace_period(backend: str, observer: Observer) -> None:
    report = end(backend, TREES["ignores-term"], observer, signal.SIGTERM, grace_s=0.1)
    assert report.clean
    assert len(report.escalations) == 1
    assert report.escalations[0].living >= 1
    assert report.escalations[0].at_ms >= 100
    leader = leader_of(report)
    assert [name for name, _ in leader.signals] == ["SIGTERM", "SIGKILL"]
    assert leader.status == -9


@pytest.mark.parametrize("backend", ["cgroup", "process-group", "cookie"])
def test_a_member_that_takes_long_to_die_is_killed_once(backend: str, observer: Observer) -> None:
    # To give back 128 MiB takes the kernel longer than the first pauses of the wait.
    program = 'import signal; held = b"x" * (1 << 27); print("up", flush=True); signal.pause(); TAG'
    tree = Tree(f"trap '' TERM; python3 -c '{program}'; :", 2)
    report = end(backend, tree, observer, signal.SIGTERM, grace_s=0)
    assert report.clean
    sent = [[name for name, _ in member.signals] for member in report.members]
    assert sent == [["SIGTERM", "SIGKILL"]] * 2


def test_a_leader_that_ended_before_the_blow_keeps_its_status_in_a_pid_namespace() -> None:
    # The first process of a namespace reaps in it. Stopped here, so that the blow comes before it has reaped.
    need("pid-namespace")
    with load_backend("pid-namespace").spawn(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as group:
        first = psutil.Process(group.pid).parent()
        assert first is not None
        first.suspend()
        assert group.stdin is not None
        assert group.stdout is not None
        group.stdin.close()
        assert group.stdout.read() == b""  # closed at the end of `cat`, a moment before it is a zombie
        while psutil.Process(group.pid).status() != psutil.STATUS_ZOMBIE:  # the test's time limit is the deadline
            pass
        report = group.terminate(signal.SIGKILL)
        assert group.returncode == 0
    assert report.clean
    assert [(member.status, member.signals) for member in report.members] == [(0, ())]


def test_a_grace_period_that_is_cut_short_by_the_leader_still_covers_the_members(observer: Observer) -> None:
    # Waiting for the leader only is the reference flake: here the leader dies of SIGTERM and its child ignores it.
    tree = Tree("bash -c 'trap \"\" TERM; echo up; while :; do sleep TAG; done' & wait", 2)
    report = end("process-group", tree, observer, signal.SIGTERM, grace_s=0.2)
    assert report.clean
    assert len(report.escalations) == 1


@pytest.mark.parametrize("backend", ["cgroup", "subreaper"])
def test_a_thousand_members_end_and_are_reported(backend: str, observer: Observer) -> None:
    tree = Tree("for i in {1..1000}; do sleep TAG & done; echo up; wait", 1001)
    report = end(backend, tree, observer, signal.SIGKILL)
    assert report.clean
    assert len(report.members) >= 1001


@pytest.mark.parametrize("backend", ["cgroup", "cgroup-v1"])
def test_a_member_that_moves_to_another_cgroup_is_found_and_ended(backend: str, observer: Observer) -> None:
    need(backend)
    if os.geteuid() != 0:
        pytest.skip("only root may leave its cgroup")
    from flakehunter.groupkill.linux.cgroup_mounts import find_freezer, find_unified

    parent = find_unified() if backend == "cgroup" else find_freezer()
    tree = Tree(f"sleep TAG & echo $! > {parent}/cgroup.procs; echo up; wait", 2)
    report = end(backend, tree, observer, signal.SIGKILL)
    assert report.clean
    assert len(report.members) >= 2


@pytest.mark.parametrize("backend", ["cgroup", "cgroup-v1"])
def test_no_cgroup_is_left_behind(backend: str, observer: Observer) -> None:
    need(backend)
    from flakehunter.groupkill.linux.cgroup_mounts import find_freezer, find_unified

    parent = find_unified() if backend == "cgroup" else find_freezer()
    assert parent is not None
    tree = Tree(f"mkdir $(echo {parent}/flakehunter-{os.getpid()}-*)/below; sleep TAG & echo up; wait", 2)
    report = end(backend, tree, observer, signal.SIGKILL)
    assert report.errors == ()
    assert list(parent.glob(f"flakehunter-{os.getpid()}-*")) == []


def test_leftovers_of_a_crashed_owner_are_ended_and_removed(observer: Observer) -> None:
    need("cgroup")
    from flakehunter.groupkill.linux.cgroup_mounts import find_unified

    code = (
        "import os, sys\nfrom flakehunter.groupkill.choice import load_backend\n"
        "group = load_backend('cgroup').spawn(sys.argv[1:], stdout=-1)\n"
        "group.stdout.readline()\nprint('up', flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    argv = observer.argv(TREES["shell-and-sleep"])
    with subprocess.Popen([sys.executable, "-c", code, *argv], stdout=subprocess.PIPE) as crashed:
        said, _ = crashed.communicate()
    # Whoever makes a group next takes the leftovers away, and that may be another test: none are counted here.
    assert (said, crashed.returncode) == (b"up\n", -9)
    end("cgroup", TREES["exits-at-once"], Observer(observer.folder), signal.SIGKILL)
    assert observer.living() == set()
    parent = find_unified()
    assert parent is not None
    assert cgroups_of([crashed.pid], parent) == []


def test_a_crashed_owner_takes_a_supervised_group_with_it(observer: Observer) -> None:
    code = (
        "import os, sys\nfrom flakehunter.groupkill.choice import load_backend\n"
        "group = load_backend('subreaper').spawn(sys.argv[1:], stdout=-1)\n"
        "group.stdout.readline()\nos.kill(os.getpid(), 9)\n"
    )
    argv = observer.argv(TREES["daemon"])
    assert subprocess.run([sys.executable, "-c", code, *argv], check=False).returncode == -9
    while observer.living():  # the test's time limit is the deadline
        pass
