"""What belongs to a test runner, or to a service that a fixture runs, and not to the test."""

import re

from flakehunter.trace.findings import Finding
from flakehunter.trace.processes import Process
from flakehunter.trace.world import World

__all__ = ["is_noise", "is_runner_process"]

_RUNNER = re.compile(
    r"multiprocessing\.(?:resource_tracker|forkserver)"
    r"|node_modules/(?:[^ ]*/)?(?:esbuild|vite|vitest|tinypool|jest-worker|rollup)\b"
    r"|/esbuild .*--service"
    r"|\bexecnet\b|import sys;exec\(eval\(sys\.stdin\.readline"
    r"|surefirebooter|gradle-worker|worker\.org\.gradle"
    r"|^(?:npm|npx|pnpm|yarn)\b"
)


def is_runner_process(process: Process) -> bool:
    """Tell whether a process is part of a test runner: its workers, transpilers, trackers."""
    return _RUNNER.search(process.command) is not None


def is_noise(finding: Finding, world: World) -> bool:
    """Tell whether a finding is not the test's: the runner's own processes, a service's, or outside of all tests."""
    time = finding.looked or finding.signalled
    if is_runner_process(finding.victim) or world.windows.is_above(finding.looker):
        return True
    if _is_inside_a_service(finding, world):
        return True
    return finding.window is None and time is not None and world.windows.is_outside(finding.looker, time)


def _is_inside_a_service(finding: Finding, world: World) -> bool:
    """Tell whether a program that a fixture started, such as a database server, is alone with its own processes.

    It tells them by shared memory what a trace does not show, and it is not what the test is about.
    """
    service = world.windows.service_of(finding.looker)
    return service is not None and service in (finding.victim, *finding.victim.ancestors())
