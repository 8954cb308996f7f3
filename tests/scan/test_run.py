"""What is scanned at all: the files that are found, and the words that are looked for before one is parsed."""

from pathlib import Path

import pytest

from flakehunter.scan.run import find_files, may_matter
from flakehunter.scan.words import ENDS_BY_PART, FILE_ENDS, FILE_HAS, HAS_BY_PART, Gated, has_any


@pytest.mark.parametrize(("words", "gated"), [(FILE_ENDS, ENDS_BY_PART), (FILE_HAS, HAS_BY_PART)])
def test_no_word_is_lost_by_looking_for_a_part_of_it_first(words: tuple[bytes, ...], gated: Gated) -> None:
    assert [word for word in words if not has_any(b"x " + word + b" y", gated)] == []
    assert len(gated) < len(words)
    assert not has_any(b"def add(a, b):\n    return a + b\n", gated)


def test_a_shared_part_alone_is_no_word() -> None:
    assert not may_matter(b"# how the proceeds are assigned: estroy, bort, ignal, SIG, TERM\npid = child.pid\n")
    assert may_matter(b"child.terminate()\npid = child.pid\n")


def test_a_file_is_found_once_whatever_links_to_it(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_a.py").write_text("")
    (tmp_path / "suite" / "test_b.py").symlink_to("test_a.py")
    (tmp_path / "alias").symlink_to("suite")
    found = list(find_files([tmp_path / "suite", tmp_path / "alias", tmp_path / "alias" / "test_b.py"], []))
    assert [Path(file.path) for file in found] == [tmp_path / "suite" / "test_a.py"]


def test_files_are_shown_from_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "suite").mkdir(parents=True)
    for name in ("here/test_a.py", "here/suite/test_b.py", "test_c.py"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path / "here")
    assert [file.shown for file in find_files([Path()], [])] == ["test_a.py", "suite/test_b.py"]
    above = (tmp_path / "test_c.py").as_posix()
    assert [file.shown for file in find_files([tmp_path], [])] == [above, "test_a.py", "suite/test_b.py"]
