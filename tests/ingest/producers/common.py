"""What all makers of fixtures share: a neutral folder, a way to run a producer, and a way to keep what it wrote.

A fixture names nothing of the machine it was made on: producers run in `/tmp/project` on a host named `runner-1`.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"
PROJECT = Path("/tmp/project")  # noqa: S108 (the same on every machine, so that fixtures are)
NODE = Path("/tmp/fixture-node")  # noqa: S108
"""Where npm's packages lie: beside the project, so that the paths in stack traces are the same everywhere, too."""
MANIFEST = FIXTURES / "producers.json"


class MissingProducerError(Exception):
    """A producer is not on this machine; its fixtures stay as they are."""


def project(files: dict[str, str]) -> Path:
    """Write `files` into the neutral folder, which is made anew."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    for name, text in files.items():
        path = PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return PROJECT


def run(folder: Path, *argv: str, **env: str) -> str:
    """Run a producer and return its output; that tests fail is what it is for."""
    if shutil.which(argv[0]) is None and not (folder / argv[0]).exists():
        raise MissingProducerError(argv[0])
    keep_out = {"NO_COLOR", "FORCE_COLOR", "CI", "GITHUB_ACTIONS"}
    clean = {name: value for name, value in os.environ.items() if name not in keep_out}
    done = subprocess.run(
        argv,
        cwd=folder,
        env={**clean, "NO_COLOR": "1", "COLUMNS": "120", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )
    return done.stdout.decode(errors="replace")


def version(*argv: str) -> str:
    """Return the version that a command tells, without its name."""
    found = re.search(r"\d+(?:\.\d+)+\S*", run(Path("/"), *argv))
    if found is None:
        raise MissingProducerError(" ".join(argv))
    return found[0].rstrip(",)")


def node_modules(folder: Path, *packages: str) -> None:
    """Give a project the npm packages, installed once."""
    names = [re.sub(r"(?<=.)@.*", "", package) for package in packages]
    if not all((NODE / "node_modules" / name).is_dir() for name in names):
        if shutil.which("npm") is None:
            raise MissingProducerError("npm")
        NODE.mkdir(parents=True, exist_ok=True)
        (NODE / "package.json").write_text('{"name": "fixtures", "private": true}')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], cwd=NODE, check=True)
    (folder / "node_modules").symlink_to(NODE / "node_modules")


def node_version(package: str) -> str:
    """Return the version of an installed npm package."""
    return str(json.loads((NODE / "node_modules" / package / "package.json").read_text())["version"])


@dataclass
class Made:
    """One producer's fixtures: who wrote them, how, and how many tests it says it ran in its own words."""

    producer: str
    version: str
    command: str
    files: list[str] = field(default_factory=list)
    says: str = ""
    """The lines of its output in which it counts."""

    def keep(self, name: str, text: str) -> None:
        """Store a file, without the names of this machine."""
        for path in (sys.prefix, sys.base_prefix):
            text = text.replace(path, "/usr")
        text = text.replace(socket.gethostname(), "runner-1").replace(str(Path.home()) + "/", "/home/runner/")
        target = FIXTURES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        self.files.append(name)

    def keep_file(self, name: str, path: Path) -> None:
        """Store a file that the producer wrote."""
        self.keep(name, path.read_text(encoding="utf-8", errors="surrogateescape"))

    def counts(self, output: str, *patterns: str) -> None:
        """Note the lines with which the producer counts its tests."""
        lines = [line.strip() for line in output.splitlines()]
        self.says = "; ".join(line for line in lines if any(re.search(pattern, line) for pattern in patterns))
        if not self.says:
            raise ValueError(f"{self.producer} counts nothing:\n{output}")


def note(made: list[Made]) -> None:
    """Write into the manifest what was made, beside what stays."""
    known = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    for one in made:
        known[one.producer] = {
            "version": one.version,
            "command": one.command,
            "files": sorted(one.files),
            "says": one.says,
        }
    MANIFEST.write_text(json.dumps(dict(sorted(known.items())), indent=2, ensure_ascii=False) + "\n")
