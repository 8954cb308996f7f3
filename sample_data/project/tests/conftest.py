"""Which tests belong to which system, and the agent as a fixture."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    collect_ignore = [
        "test_abort.py",
        "test_abort_polls.py",
        "test_agent.py",
        "test_agent_waits.py",
        "test_job.py",
        "test_pool.py",
        "test_pool_waits.py",
    ]
else:
    collect_ignore_glob = ["windows/*"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state folder with the journal of a busy week."""
    with (tmp_path / "journal.jsonl").open("w", encoding="utf-8") as journal:
        for number in range(2000):
            event = {"job": f"nightly-{number % 37}", "code": number % 3, "host": "build-04", "took_s": number * 0.25}
            journal.write(json.dumps(event) + "\n")
    return tmp_path


@pytest.fixture
def agents(state: Path) -> Iterator["Agents"]:
    """Give a way to start agents on the state folder; all of them are ended after the test."""
    started = Agents(state)
    yield started
    for process in started.processes:
        process.close()


class Agents:
    """Starts agents on one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list = []

    def start(self, port: int = 0):
        """Start an agent; it is not ready yet."""
        from jobkeeper.client import AgentProcess

        process = AgentProcess(self.folder, port)
        self.processes.append(process)
        return process
