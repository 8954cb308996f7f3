"""The plugins of docs/plugins.md, installed as a package beside flakehunter and used."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/plugins.md").read_text(encoding="utf-8")
LOG = """ourtool 1.4 starts
[ok] server answers (0.2s)
[BAD] server ends its workers (0.4s)
worker 4242 is still alive
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Install the page's module and entry points into a folder on the path."""
    site = tmp_path / "site"
    about = site / "our_flakehunter-1.dist-info"
    about.mkdir(parents=True)
    (site / "our_flakehunter.py").write_text("\n".join(re.findall(r"(?ms)^```python\n(.*?)^```", PAGE)))
    toml = re.search(r"(?ms)^```toml.*?\n(.*?)^```", PAGE)
    assert toml
    points = re.sub(r'\[project\.entry-points\."([\w.]+)"\]', r"[\1]", toml[1]).replace('"', "")
    (about / "entry_points.txt").write_text(points)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: our-flakehunter\nVersion: 1\n")
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(site)}


def flakehunter(*words: str, env: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flakehunter", *words], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_log_format_of_a_plugin_is_read(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "build.log").write_text(LOG)
    told = json.loads(flakehunter("ingest", "build.log", "--json", env=environment, cwd=tmp_path))
    assert told["new_results"] == 2
    with closing(sqlite3.connect(tmp_path / ".flakehunter/flakehunter.db")) as connection:
        rows = connection.execute("SELECT classname, name, framework FROM test_cases").fetchall()
    assert set(rows) == {("server", "answers", "ourtool"), ("server", "ends its workers", "ourtool")}


def test_stressor_of_a_plugin_is_applied(environment: dict[str, str], tmp_path: Path) -> None:
    command = ["--", "sh", "-c", 'test "$OUR_NAP_MS" != 250']
    words = ["repro", "--stress", "nap:250", "--trials", "3", "--json", *command]
    (arm,) = json.loads(flakehunter(*words, env=environment, cwd=tmp_path))["arms"]
    assert (arm["stressor"], arm["failures"]) == ("nap:250", arm["trials"])


def test_backend_of_a_plugin_ends_groups(environment: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["run", "--group-kill", "polite", "--report", str(report), "--", "sh", "-c", "sleep 60 & echo up"]
    flakehunter(*words, env=environment, cwd=tmp_path)
    assert json.loads(report.read_text())["backend"] == "polite"


def test_what_is_no_log_format_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    points = next((tmp_path / "site").glob("*/entry_points.txt"))
    points.write_text("[flakehunter.logs]\nbroken = our_flakehunter:LINE\n")
    (tmp_path / "build.log").write_text(LOG)
    done = subprocess.run(
        [sys.executable, "-m", "flakehunter", "ingest", "build.log"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "plugin 'broken' is no log format: it lacks" in done.stderr
