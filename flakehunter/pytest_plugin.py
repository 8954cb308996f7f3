"""pytest plugin: groups of processes as a fixture, and `--flakehunter-leaks`; does nothing until one is used."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flakehunter.groupkill import GoneReport, ProcessGroup

LEAKS = "flakehunter_leaks"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("flakehunter")
    group.addoption(
        "--flakehunter-leaks",
        dest=LEAKS,
        choices=("off", "report", "fail"),
        nargs="?",
        const="report",
        default="off",
        help="name the tests that leave processes behind (report), or fail them too (fail); both end what is left",
    )
    group.addoption(
        "--flakehunter-group-kill",
        default=None,
        metavar="BACKEND",
        help="backend of the fixture process_group; else FLAKEHUNTER_GROUP_KILL, else auto",
    )


@pytest.fixture
def process_group(request: pytest.FixtureRequest) -> "Iterator[Callable[..., ProcessGroup]]":
    """Start commands in groups of their own: `group = process_group(["npm", "start"], stdout=PIPE)`.

    The arguments are those of `flakehunter.groupkill.spawn`. When the test ends each group is killed and waited for;
    the test fails when a member survives that.
    """
    from flakehunter.groupkill import spawn

    chosen = request.config.getoption("--flakehunter-group-kill")
    groups: list[ProcessGroup] = []

    def start(argv: Sequence[str], **options: Any) -> "ProcessGroup":
        group = spawn(argv, **{"backend": chosen, **options})
        groups.append(group)
        return group

    yield start
    reports = [group.close() for group in reversed(groups)]
    left = [member for report in reports if report is not None for member in report.survivors]
    if left:
        from flakehunter.groupkill.report import describe_survivors

        pytest.fail("members survived their group: " + "; ".join(describe_survivors(left)), pytrace=False)


@pytest.fixture
def assert_gone() -> "Callable[..., GoneReport]":
    """Wait until processes are gone, or fail: `assert_gone(pids, deadline_s=5.0, zombies_ok=False)`."""
    from flakehunter.groupkill import assert_gone as check

    return check


# --- leaks -----------------------------------------------------------------------------------------------------


class _Leaks:
    """Compares the processes below this one before and after each test, orphans included where marks can find them."""

    def __init__(self, config: pytest.Config) -> None:
        from flakehunter.groupkill.leaks import LeakWatch

        self.fails = config.getoption(LEAKS) == "fail"
        self.watch = LeakWatch()
        self.found: list[tuple[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Spare what runs before the test, and what fixtures of a wider scope start for it."""
        self.watch.spare_all()
        result = yield
        if _has_wider_fixture(item):
            self.watch.spare_all()
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """After the fixtures of the test have been torn down: what is new now was left behind."""
        result = yield
        left = self.watch.end_new()
        self.found += [(item.nodeid, text) for text in left]
        if left and self.fails:
            pytest.fail(f"left {len(left)} processes behind: {'; '.join(left)}", pytrace=False)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """After the last fixture of all: what is still there was left by a fixture of a wider scope."""
        self.found += [("a fixture of a module or the session", text) for text in self.watch.end_new(also_spared=True)]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name the tests and their processes."""
        if not self.found:
            terminalreporter.write_line("flakehunter: no test left a process behind")
            return
        terminalreporter.section("tests that left processes behind (ended by flakehunter)")
        for nodeid, text in self.found:
            terminalreporter.write_line(f"{nodeid}: {text}")


def _has_wider_fixture(item: pytest.Item) -> bool:
    """Whether the test uses a fixture that outlives it."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info is not None else ()
    return any(fixture.scope != "function" for fixtures in definitions for fixture in fixtures)


def pytest_configure(config: pytest.Config) -> None:
    """Switch the leak detector on where it was asked for."""
    if config.getoption(LEAKS) == "off":
        return
    if sys.platform != "linux":
        raise pytest.UsageError("--flakehunter-leaks needs Linux: elsewhere orphans cannot be told from strangers")
    if os.environ.get("PYTEST_XDIST_WORKER") is None and getattr(config.option, "numprocesses", None):
        return  # the workers run the tests
    config.pluginmanager.register(_Leaks(config), "flakehunter-leaks")
