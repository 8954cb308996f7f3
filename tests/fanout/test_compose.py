"""The compose file of docs/fleet: what the specification says of it, and every command in it on this machine."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from flakehunter.groupkill.linux.procfs import read_argv
from tests.fanout.conftest import ROOT

FILE = ROOT / "docs/fleet/compose.yaml"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Give the services, by name."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def command_of(service: Mapping[str, Any]) -> list[str]:
    """Return the whole command line of a service, as Compose reads it: `$$` stands for `$`."""
    entry = service.get("entrypoint", ["tini", "--", "flakehunter"])  # the image's, see the Dockerfile
    return [word.replace("$$", "$") for word in (*entry, *service["command"])]


def test_it_fits_the_compose_specification() -> None:
    words = [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_what_it_names_is_there(services: dict[str, Any]) -> None:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    volumes = {str(volume).split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    ours = [service for service in services.values() if service["image"] == "flakehunter"]

    assert {name for name in volumes if name[0] not in ".$"} == set(document["volumes"])
    assert {other for service in services.values() for other in service.get("depends_on", {})} <= set(services)
    assert all((FILE.parent / service["build"] / "Dockerfile").is_file() for service in ours)
    assert {
        re.split(r"[/:@]", service["environment"]["FLAKEHUNTER_DB"])[4]
        for service in ours
        if "FLAKEHUNTER_DB" in service["environment"]
    } == {"database"}
    # The image starts through an init, and an entrypoint of ours has to, as well.
    assert all(command_of(service)[:2] == ["tini", "--"] for service in ours)
    assert "[dask,postgres" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


class Team:
    """The services as processes of this machine, in a folder of their own, with what they say in files."""

    def __init__(self, services: dict[str, Any], folder: Path, database: str) -> None:
        self.services = services
        self.folder = folder
        self.database = database
        self.scheduler = ""
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a service; return it and its log."""
        words = [self._here(word) for word in command_of(self.services[name])[2:]]
        environment = {key: self._here(value) for key, value in self.services[name]["environment"].items()}
        path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process, log

    def _here(self, word: str) -> str:
        """Return a word with the addresses of this machine: ports are those that are free."""
        word = word.replace("postgresql://flakehunter@database/flakehunter", self.database)
        return {"8786": "0", "8080": "0", "/tmp": str(self.folder)}.get(  # noqa: S108
            word, word.replace("tcp://scheduler:8786", self.scheduler)
        )

    def wait_for(self, name: str, pattern: str) -> str:
        """Start a service that stays, and wait for what its log says."""
        process, log = self.start(name)
        while (found := re.search(pattern, log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        return found[1]

    def end(self) -> None:
        """End all services with their whole sessions."""
        for process in self.processes:
            if process.poll() is not None:
                continue
            below = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for one in below:
                one.send_signal(signal.SIGKILL)
            psutil.wait_procs(below)
            process.wait()


@pytest.fixture
def team(services: dict[str, Any], tmp_path: Path, postgres_database: str) -> Iterator[Team]:
    """Give the services, none of them started."""
    made = Team(services, tmp_path, postgres_database)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.slow
@pytest.mark.needs("postgres")
def test_every_command_runs(team: Team, services: dict[str, Any]) -> None:
    commit = sorted((ROOT / "sample_data/runs").iterdir())[0]
    shutil.copytree(commit, team.folder / "incoming" / commit.name)

    team.scheduler = team.wait_for("scheduler", r"Scheduler at:\s+(tcp://\S+)")
    port = team.scheduler.rpartition(":")[2]
    health = [word.replace("8786", port) for word in services["scheduler"]["healthcheck"]["test"][1:]]
    subprocess.run([sys.executable, *health[1:]], check=True)
    for name in ("worker", "runner"):
        team.wait_for(name, r"(Starting established connection to)")
    ingest, log = team.start("ingest")
    assert ingest.wait() == 0, log.read_text()
    assert "new" in log.read_text()

    report, log = team.start("report")
    while not (team.folder / "site/index.html").is_file():
        assert report.poll() is None, log.read_text()
        time.sleep(0.02)
    sleeping = psutil.Process(report.pid)
    while not any(read_argv(child.pid)[:1] == ("sleep",) for child in sleeping.children()):
        assert report.poll() is None, log.read_text()
        time.sleep(0.02)
    team.wait_for("site", r"port (\d+)")
    run = {process.args[0] if isinstance(process.args, list) else "" for process in team.processes}
    assert run == {"dask", "flakehunter", "sh", "python"}
