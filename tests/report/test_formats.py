"""A report as Markdown, JSON, CSV, Parquet, a badge, and as the difference of two databases."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from report_builder import Builder, hostile_history, team_history

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.exitcodes import ExitCode
from flakehunter.model import Mechanism
from flakehunter.report import badge, markdown
from flakehunter.report.document import to_document
from flakehunter.report.frames import FRAMES
from flakehunter.report.site import read_site
from flakehunter.report.views import Site

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/report.schema.json").read_text(encoding="utf-8"))


def site_of(history: Callable[[Path], None], folder: Path) -> Site:
    history(folder / "x.db")
    engine = open_database(f"sqlite:///{folder / 'x.db'}")
    try:
        return read_site(engine)
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(team_history, tmp_path_factory.mktemp("team"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(hostile_history, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("kind", ["team", "hostile"])
def test_document_is_what_the_schema_says(kind: str, request: pytest.FixtureRequest) -> None:
    document = json.loads(json.dumps(to_document(request.getfixturevalue(kind))))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    assert set(document) == set(SCHEMA["properties"])
    for test in document["flaky"]:
        assert set(test) == set(SCHEMA["$defs"]["test"]["properties"])


def test_schema_knows_every_mechanism() -> None:
    assert set(SCHEMA["$defs"]["mechanism"]["enum"]) == {*Mechanism, None}


def test_markdown_has_the_tables_and_the_fixes(team: Site) -> None:
    text = markdown.render(team)
    assert text.startswith("## Flaky tests of `default`\n\n2 tests are flaky.")
    assert (
        "| `test_abort_kills_the_group`<br>pytest › tests.test\\_group | 21\u202f% (9/42) | `check-before-exit` | 7 |"
        in text
    )
    assert "### Broken, not flaky" in text
    assert "- `check-before-exit`: Look again until a deadline" in text


def test_markdown_of_hostile_texts_is_text(hostile: Site) -> None:
    html = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable("table").render(markdown.render(hostile))
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert "&lt;script&gt;" in html
    table = ElementTree.fromstring(html[html.index("<table>") : html.index("</table>") + 8].replace("<br>", "<br/>"))
    rows = table.findall("./tbody/tr")
    assert len(rows) == len(hostile.overview.flaky)
    assert {len(row) for row in rows} == {6}, "no name breaks a row"


@pytest.mark.parametrize("limit", [1_300, 1_600, 1_900])
def test_markdown_is_cut_at_the_limit_and_says_so(hostile: Site, limit: int) -> None:
    text = markdown.render(hostile, limit=limit)
    assert len(text.encode()) <= limit
    assert "did not fit; the HTML report has all of them." in text
    assert "### What mends them" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "`plain`"), ("a|b", "`a\\|b`"), ("tick ` and ``", "``` tick ` and `` ```"), ("", "` `"),
        ("two\nlines", "`two lines`"), ("\x1b[0m", "`␛[0m`"),
    ],
)  # fmt: skip
def test_code_spans_stay_whole(given: str, shown: str) -> None:
    assert markdown.code(given) == shown


def test_badge_says_how_many(team: Site) -> None:
    drawn = badge.render(team.overview)
    root = ElementTree.fromstring(drawn)
    assert root.get("aria-label") == "flaky tests: 2"
    assert "#b93c12" in drawn, "8 of 42 jobs are more than a twentieth"


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., list[str]]:
    """Run `flakehunter report` in a folder with a database; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    team_history(tmp_path / "team.db")

    def call(*arguments: str) -> list[str]:
        code = main(["report", "--db", "team.db", *arguments])
        captured = capsys.readouterr()
        return [code, captured.out, captured.err]  # type: ignore[list-item]

    return call


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (["--json"], '{\n  "schema_version": 1'),
        (["--format", "json"], '{\n  "schema_version": 1'),
        (["--format", "markdown"], "## Flaky tests"),
        (["--format", "badge"], "<svg "),
        (
            ["--format", "codequality"],
            '[\n  {\n    "description": "test_abort_kills_the_group is flaky: it fails 21',
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_texts_go_to_stdout_or_into_a_file(run: Callable[..., list[str]], arguments: list[str], begins: str) -> None:
    code, out, err = run(*arguments)
    assert (code, err) == (ExitCode.OK, "")
    assert out.startswith(begins)
    code, told, _err = run(*arguments, "-o", "file.txt")
    assert (code, told) == (ExitCode.OK, "file.txt\n")
    assert Path("file.txt").read_text(encoding="utf-8") == out


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_table_is_exported(run: Callable[..., list[str]], kind: str) -> None:
    code, out, err = run("--format", kind)
    assert (code, out) == (ExitCode.OK, "flakehunter-export\n")
    assert "wrote 12 tables" in err
    read = pd.read_csv if kind == "csv" else pd.read_parquet
    lengths = {name: len(read(Path("flakehunter-export") / f"{name}.{kind}")) for name in FRAMES}
    assert lengths["results"] == 420
    assert lengths["runs"] == 42
    results = read(Path("flakehunter-export") / f"results.{kind}")
    assert (results["outcome"] == "failed").sum() == 22
    summary = read(Path("flakehunter-export") / f"experiments.{kind}")["summary"].iloc[0]
    assert json.loads(summary)["verdict"] == "fix-verified"
    assert run("--format", kind)[0] == ExitCode.OK, "its own files may be written again"
    Path("flakehunter-export/flakehunter-export.json").unlink()
    assert run("--format", kind)[0] == ExitCode.USAGE


def test_parquet_without_pyarrow_says_what_to_install(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.report.export.find_spec", lambda name: None)
    code, _out, err = run("--format", "parquet")
    assert code == ExitCode.USAGE
    assert "pip install 'flakehunter-ci[parquet]'" in err


def test_diff_tells_what_changed_between_two_databases(run: Callable[..., list[str]], tmp_path: Path) -> None:
    with Builder(tmp_path / "old.db") as build:
        test = build.test("gone")
        build.results(test, [build.run("c1"), build.run("c2")], ".F")
        build.verdict(test)
    code, out, _err = run("--diff", "old.db", "team.db")
    assert code == ExitCode.OK
    assert "- **new flake**: `pytest::tests.test_group::test_abort_kills_the_group` 21\u202f%" in out
    assert "- **no longer flaky**: `pytest::tests.test_group::gone` 20\u202f%" in out
    code, out, _err = run("--diff", "old.db", "team.db", "--json")
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert [one["id"].rpartition("::")[2] for one in document["healed"]] == ["gone"]
    jsonschema.validate(document, {**SCHEMA["properties"]["changes"], "$defs": SCHEMA["$defs"]})
    assert run("--diff", "team.db", "team.db")[1].startswith("No test became flaky")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--format", "tarball"], ExitCode.USAGE, "tarball"),
        (["--json", "-o", "/proc/nowhere/x"], ExitCode.USAGE, "cannot write /proc/nowhere/x"),
        (["--diff", "team.db", "none.db"], ExitCode.NOTHING, "there is no database"),
        (["--diff", "team.db", "team.db", "--format", "csv"], ExitCode.USAGE, "--diff has no csv format"),
        (["--format", "csv", "-o", "team.db"], ExitCode.USAGE, "is not a folder"),
        (["--format", "csv", "--project", "none"], ExitCode.NOTHING, "no project 'none'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_a_hint(
    run: Callable[..., list[str]], arguments: list[str], code: int, says: str
) -> None:
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert says in err
    assert "\n  hint: " in err
