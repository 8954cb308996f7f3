"""The Dockerfile: what it says, and its steps run in an environment of their own, as another user than root."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JUNIT = '<testsuite name="a"><testcase classname="t" name="one" time="0.1"/></testsuite>'
ANOTHER = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"]
ANOTHER += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # to read this Python, wherever it lies


def instructions() -> list[tuple[int, str, str]]:
    """Return (stage, instruction, argument) of each line, with continued lines joined and comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8")).replace("\\\n", " ")
    found, stage = [], -1
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        found.append((stage, word, " ".join(rest.split())))
    return found


def only(stage: int, word: str) -> list[str]:
    return [rest for at, found, rest in instructions() if (at, found) == (stage, word)]


def test_it_ends_as_a_user_that_is_not_root_below_an_init() -> None:
    (user,) = only(1, "USER")
    assert int(user) >= 1000
    words = [word for _, word, _ in instructions()]
    assert words.index("USER") > max(place for place, word in enumerate(words) if word == "RUN"), "set-up needs root"
    (entry,), (command,) = only(1, "ENTRYPOINT"), only(1, "CMD")
    assert json.loads(entry) == ["tini", "--", "flakehunter"]
    assert json.loads(command) == ["--help"]
    assert {"tini", "strace", "git"} <= set(shlex.split(only(1, "RUN")[0]))
    assert f"--uid {user}" in only(1, "RUN")[0]


def test_what_it_copies_is_there_and_reaches_the_builder() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for copied in only(0, "COPY"):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists()
            ignored = False
            for rule in rules:
                if fnmatch.fnmatch(source, rule.lstrip("!")):
                    ignored = not rule.startswith("!")
            assert not ignored, source
    (wheels,) = only(1, "COPY")
    assert wheels == "--from=build /src/wheels /tmp/wheels"


@pytest.fixture
def machine() -> Iterator[Path]:
    """Give a folder that stands for the container's root, which every user may read."""
    folder = Path(tempfile.mkdtemp(prefix="flakehunter-container-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_its_steps_build_install_and_run_as_another_user(machine: Path) -> None:
    source, work, env_folder = machine / "src", machine / "work", machine / "venv"
    for copied in only(0, "COPY"):
        for name in copied.split()[:-1]:
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, target)
    # The packages of the lock are those of this environment; only flakehunter itself is built and installed anew.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env_folder], check=True)
    site = env_folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (site / "rest.pth").write_text(sysconfig.get_path("purelib") + "\n")
    env = {"PATH": f"{env_folder}/bin:/usr/bin:/bin", "HOME": "/nonexistent", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env |= {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_IGNORE_INSTALLED": "1"}
    step(only(0, "RUN")[0], source, env)
    (wheel,) = (source / "wheels").glob("*.whl")
    pins = (source / "wheels/constraints.txt").read_text().splitlines()
    assert "--hash" not in "".join(pins)
    assert any(line.startswith("sqlalchemy==") for line in pins)
    step(only(1, "RUN")[1].replace("/tmp/wheels", str(wheel.parent)), source, env)  # noqa: S108
    work.mkdir()
    (work / "junit.xml").write_text(JUNIT)
    as_another = ANOTHER if os.geteuid() == 0 else []
    if as_another:
        shutil.chown(work, 10001, 10001)
    given = {word.split("=")[0]: word.split("=")[1] for word in only(1, "ENV")[0].split()}
    run = {"PATH": env["PATH"], "HOME": "/nonexistent", **given, "MPLCONFIGDIR": str(work / "matplotlib")}
    program = json.loads(only(1, "ENTRYPOINT")[0])[2:]
    for words in (["ingest", "junit.xml"], ["report", "-o", "site"]):
        done = subprocess.run(
            [*as_another, *program, *words], cwd=work, env=run, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    index = work / "site/index.html"
    assert index.is_file()
    assert os.geteuid() != 0 or index.stat().st_uid == 10001


def step(script: str, folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(["sh", "-ec", script], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
