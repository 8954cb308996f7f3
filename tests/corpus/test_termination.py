"""The pairs of termination tests: the index is complete, the fixed variants pass, the flawed ones can fail."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from termination_corpus import EVENTS, FOLDER, VARIANTS, Pair, load_pairs

from flakehunter.model import Mechanism

pytestmark = pytest.mark.timeout(400)  # the first build of a Go program on a machine takes its time

PAIRS = load_pairs()
SHAPES = {"v1", "v2", "v1s", "v3", "v4", "v5", "v6b", "v7b", "v8", "v9", "n1", "n3"}


@pytest.fixture(scope="module")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled variants go."""
    return tmp_path_factory.mktemp("build")


def test_index_names_every_folder_and_every_folder_is_in_the_index() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/flawed.*")}
    assert folders == {pair.name for pair in PAIRS}
    assert len(PAIRS) == len(folders) >= 24


def test_index_covers_all_mechanisms_and_measured_shapes() -> None:
    assert {pair.mechanism for pair in PAIRS} == set(Mechanism)
    assert {pair.shape for pair in PAIRS} - {""} == SHAPES


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_index_entry_is_whole(pair: Pair) -> None:
    assert pair.event in EVENTS
    assert pair.slack_ms >= 0
    assert pair.victim_depth in (1, 2, 3)
    re.compile(pair.victim_argv)
    assert pair.about
    for variant in VARIANTS:
        [source] = pair.folder.glob(f"{variant}.*")
        assert source.stat().st_size > 100
        assert any(word.endswith((source.name, f"-{variant}")) for word in pair.commands[variant])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_fixed_variant_passes(pair: Pair, build_folder: Path) -> None:
    if not pair.tool_is_here:
        if os.environ.get("CI"):
            pytest.fail(f"{pair.language} is not on this machine", pytrace=False)
        pytest.skip(f"needs {pair.language}, which is not on this machine")
    ran = subprocess.run(pair.command("fixed", build_folder), check=False, capture_output=True, text=True, timeout=350)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_flawed_variant_fails_with_status_1_and_a_message_when_the_victim_is_late(tmp_path: Path) -> None:
    # The victim of v3 is a child of the test: a SIGSTOP right at its start would be seen by nobody, so its program is
    # replaced by one that cleans up for longer. Delays at kernel events are the business of `repro`, and tested there.
    [pair] = [pair for pair in PAIRS if pair.name == "v3_handler_pause"]
    source = (pair.folder / "flawed.py").read_text()
    assert "time.sleep(0.02)" in source
    slow = tmp_path / "flawed.py"
    slow.write_text(source.replace("time.sleep(0.02)", "time.sleep(2)"))
    command = [pair.command("flawed", tmp_path)[0], slow]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=350)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "has not ended" in ran.stderr


def test_compiled_pairs_say_how_to_build() -> None:
    assert all(bool(pair.build) == (pair.language == "go") for pair in PAIRS)
    assert shutil.which("bash")
