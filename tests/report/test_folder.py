"""Writing a site: only our own files are ever overwritten or removed."""

from pathlib import Path

import pytest

from flakehunter.errors import UsageError
from flakehunter.report.folder import write_site

PAGES = [("index.html", "one"), ("tests/a.html", "a"), ("tests/b.html", "b")]


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_second_report_replaces_its_own_files_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_site(PAGES, out)
    (out / "notes.txt").write_text("mine")
    (out / "tests/old.html").write_text("not ours either")
    written = write_site([("index.html", "two"), ("tests/a.html", "a")], out)
    assert (written.files, written.removed, written.foreign) == (2, 1, 2)
    left = contents(out)
    left.pop("flakehunter-report.json")
    assert left == {"index.html": "two", "tests/a.html": "a", "notes.txt": "mine", "tests/old.html": "not ours either"}


@pytest.mark.parametrize("name", ["index.html", "tests/b.html"])
def test_a_foreign_file_in_the_way_is_refused_and_nothing_changed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="in the way") as caught:
        write_site(PAGES, tmp_path / "out")
    assert caught.value.exit_code == 2
    assert contents(tmp_path / "out") == {name: "mine"}


def test_a_foreign_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/index.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="in the way"):
        write_site(PAGES, tmp_path / "out")


def test_a_list_that_names_files_elsewhere_removes_nothing_there(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    out = tmp_path / "out"
    out.mkdir()
    (out / "flakehunter-report.json").write_text(f'{{"files": ["../precious.txt", "{precious}", 7, "gone.html"]}}')
    write_site(PAGES, out)
    assert precious.read_text() == "keep me"


@pytest.mark.parametrize("list_", ["", "[]", "not JSON", '{"files": 3}'])
def test_a_broken_list_counts_as_none(tmp_path: Path, list_: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "flakehunter-report.json").write_text(list_)
    write_site(PAGES, out)
    (out / "flakehunter-report.json").write_text(list_)
    with pytest.raises(UsageError, match="in the way"):
        write_site(PAGES, out)


def test_an_interrupted_report_can_be_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    real = Path.replace

    def replace(path: Path, to: Path) -> Path:
        if to.name == "b.html":
            raise KeyboardInterrupt
        return real(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_site(PAGES, out)
    assert (out / "tests/a.html").exists()
    assert write_site(PAGES, out).files == 3
    assert not [name for name in contents(out) if name.endswith(".part")]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="is not a folder"):
        write_site(PAGES, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="cannot write the report: /proc/nowhere") as caught:
        write_site(PAGES, Path("/proc/nowhere"))
    assert caught.value.hint == "give a folder that can be written with -o DIR"
