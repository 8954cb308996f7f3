"""Where the kernel really refuses ptrace: what is lost is said, and how to get it back."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Experiment

FORBID = Path(__file__).with_name("forbid_ptrace.py")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, FORBID, sys.executable, "-m", "flakehunter", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_the_search_that_cannot_trace_says_so_everywhere(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    done = run(tmp_path, "repro", "--db", url, "--json", "--trials", "2", "--", "true")
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    warning = next(line for line in done.stderr.splitlines() if "ptrace is not allowed" in line)
    assert "a seccomp filter" in warning
    assert "lost: the search" in warning
    assert "--cap-add SYS_PTRACE" in warning
    assert document["arms"][0]["stressor"].startswith("cpu:")
    tracer = document["tracer"]
    assert (tracer["usable"], "seccomp" in tracer["reason"], "SYS_PTRACE" in tracer["hint"]) == (False, True, True)
    assert tracer["lost"]
    engine = open_database(url)
    with engine.connect() as connection:
        assert connection.scalar(select(Experiment.summary))["tracer"] == tracer
    engine.dispose()


def test_a_stressor_that_needs_ptrace_is_refused_with_the_way_out(tmp_path: Path) -> None:
    done = run(tmp_path, "repro", "--stress", "control", "--", "true")
    assert done.returncode == 2
    assert "control does not work here: ptrace is not allowed" in done.stderr
    assert "SYS_PTRACE" in done.stderr


def test_the_list_of_stressors_gives_the_reason(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run(tmp_path, "stressors", "--json").stdout)["stressors"]}
    assert not rows["delay"]["usable"]
    assert "seccomp" in rows["delay"]["reason"]
    assert "SYS_PTRACE" in rows["delay"]["hint"]
    assert rows["cpu"]["usable"]
    assert "to allow it: in a container: docker run --cap-add SYS_PTRACE" in run(tmp_path, "stressors").stdout
