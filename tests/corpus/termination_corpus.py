"""The index of the pairs in `termination/`: which commands they are, and which late event makes the flawed one fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flakehunter.model import Mechanism

FOLDER = Path(__file__).resolve().parent / "termination"
VARIANTS = ("flawed", "fixed")
TOOLS = {"python": sys.executable, "node": "node", "go": "go", "bash": "bash", "ruby": "ruby"}
EVENTS = ("start", "signal", "exit", "report")


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair; `slack_ms` is how late `event` of the victim may be before the flawed variant fails."""

    name: str
    language: str
    mechanism: Mechanism
    about: str
    slack_ms: float
    victim_argv: str
    """Regular expression, searched in the words of the victim's command line joined by spaces."""
    victim_depth: int
    """1 for a child of the test, 2 for a grandchild."""
    event: str
    shape: str
    """Name in the table of measured shapes; empty for the others."""
    commands: dict[str, tuple[str, ...]]
    build: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return FOLDER / self.name

    @property
    def tool_is_here(self) -> bool:
        """Whether the language's program is on this machine."""
        return shutil.which(TOOLS[self.language]) is not None

    def command(self, variant: str, build_folder: Path) -> list[str]:
        """Return the command of a variant; compiled ones are built into `build_folder` when they are not there yet."""
        if self.build and not (build_folder / f"{self.name}-{variant}").exists():
            environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
            subprocess.run(self._words(self.build, variant, build_folder), check=True, env=environment)
        return self._words(self.commands[variant], variant, build_folder)

    def _words(self, words: Sequence[str], variant: str, build_folder: Path) -> list[str]:
        values = {"python": sys.executable, "folder": str(self.folder), "build": str(build_folder)}
        return [word.format(name=self.name, variant=variant, **values) for word in words]


def load_pairs() -> list[Pair]:
    """Read corpus.toml."""
    document = tomllib.loads((FOLDER / "corpus.toml").read_text(encoding="utf-8"))
    return [
        Pair(
            name=entry["name"],
            language=entry["language"],
            mechanism=Mechanism(entry["mechanism"]),
            about=entry["about"],
            slack_ms=entry["slack_ms"],
            victim_argv=entry["victim"]["argv"],
            victim_depth=entry["victim"]["depth"],
            event=entry["event"],
            shape=entry.get("shape", ""),
            commands={variant: tuple(entry[variant]) for variant in VARIANTS},
            build=tuple(entry.get("build", ())),
        )
        for entry in document["pair"]
    ]
