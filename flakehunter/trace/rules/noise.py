"""What belongs to a test runner and not to the test."""

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
    """Tell whether a finding is about what the runner does: with its own processes, or outside of its tests."""
    time = finding.looked or finding.signalled
    if is_runner_process(finding.victim):
        return True
    return finding.window is None and time is not None and world.windows.is_outside(finding.looker, time)
