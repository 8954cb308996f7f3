"""The labelled corpus: every file is judged as its first lines say."""

import sys
from pathlib import Path

import pytest

from flakehunter.model import Mechanism

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corpus"))
from scan_corpus import Labelled, load

FILES = load()


def test_corpus_has_enough_of_everything() -> None:
    flawed = [file for file in FILES if file.wanted]
    assert len(flawed) >= 60
    assert len(FILES) - len(flawed) >= 60
    assert {file.path.parent.name for file in flawed} == {file.path.parent.name for file in FILES}
    assert len({file.path.parent.name for file in FILES}) == 13
    for mechanism in Mechanism:
        assert sum(mechanism in file.wanted for file in flawed) >= 3, mechanism


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_file_is_judged_as_it_is_labelled(file: Labelled) -> None:
    assert file.found() == file.wanted, file.why
