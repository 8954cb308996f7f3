"""The pages of a small team's history, and of hostile data: what they say, and that nothing breaks out of the text."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_builder import HOSTILE, START, Builder, team_history
from sqlalchemy import Engine

from flakehunter.db.engine import open_database
from flakehunter.errors import NothingToDoError
from flakehunter.model import TestIdentity
from flakehunter.report.build import build_site, slug
from flakehunter.report.site import verdicts_are_current, write_report


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src") and tag != "use":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Engine]:
    team_history(tmp_path / "team.db")
    engine = open_database(f"sqlite:///{tmp_path / 'team.db'}")
    yield engine
    engine.dispose()


def pages_of(folder: Path) -> dict[str, Page]:
    return {
        path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")
    }


def page_of(folder: Path, name: str) -> Page:
    (path,) = (folder / "tests").glob(f"{name}-*.html")
    return Page(path.read_text(encoding="utf-8"))


def test_overview_says_what_flakes_and_what_it_costs(team: Engine, team_site: Path) -> None:
    with team.connect() as connection:
        site = build_site(connection)
    assert [row.identity.name for row in site.overview.flaky] == [
        "test_abort_kills_the_group",
        "binds the same port again",
    ]
    assert [row.identity.name for row in site.overview.broken] == ["test_counts_members"]
    cost = site.overview.cost
    assert (cost.jobs, cost.red, cost.lost) == (42, 18, 8)
    assert cost.lost_s == pytest.approx(sum(row.lost_s for row in site.overview.flaky))
    assert 0 < cost.lost_s < cost.total_s
    text = Page((team_site / "index.html").read_text(encoding="utf-8")).text
    assert "2 tests are flaky. They alone turned 8 of 42 jobs red" in text
    assert "check-before-exit 1 test, 7 jobs lost" in text


def test_trend_counts_every_job_once(team: Engine) -> None:
    with team.connect() as connection:
        site = build_site(connection)
    trend = site.overview.trend
    assert trend.unit == "week"
    assert [period.label for period in trend.periods][:2] == ["2026-03-02", "2026-03-09"]
    assert sum(period.jobs for period in trend.periods) == 42
    assert sum(period.lost for period in trend.periods) == site.overview.cost.lost
    assert sum(period.lost + period.broken for period in trend.periods) == site.overview.cost.red


def test_page_of_a_test_has_verdict_evidence_failures_and_command(team_site: Path) -> None:
    page = page_of(team_site, "test-abort-kills-the-group")
    assert "Fails 21 % of the time (12 % to 36 %), since 77de68da (14 Mar 2026)" in page.text
    assert "probably because it looks whether a process is gone right after the signal was sent" in page.text
    evidence = [page.text.index(word) for word in ("21 of 35 trials under", "6 commits have both", "still alive")]
    assert evidence == sorted(evidence), "strongest first"
    assert "9 failures like this" in page.text
    assert "+ where True = process_is_alive(4242)" in page.text
    assert "sending SIGTERM to process group 4242" in page.text
    assert "flakehunter repro --stress cpu:8 pytest::tests.test_group::test_abort_kills_the_group" in page.text
    assert "Fix verified" in page.text
    assert "42 % to 76 %" in page.text
    assert "Look again until a deadline" in page.text


def test_history_strip_tells_each_attempt_in_words(team_site: Path) -> None:
    (path,) = (team_site / "tests").glob("test-abort*.html")
    content = path.read_text(encoding="utf-8")
    assert 'title="linux-pytest, run 1003#1, failed, 424 ms"' in content
    assert '<code title="14 Mar 2026, 08:00 UTC">77de68da</code><span class="sr">: 2 passed, 1 failed</span>' in content
    assert content.count('<li class="mixed">') == 8


def test_a_job_with_a_real_failure_is_not_lost_to_flakes(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        runs = [build.run(f"c{place}") for place in range(4)]
        flaky, other, retried = (build.test(name) for name in ("flaky", "other", "retried"))
        build.results(flaky, runs, "FF..")
        build.results(other, runs, ".F..")
        build.results(retried, runs, "..F.")
        build.result(retried, runs[2], attempt=2)
        build.verdict(flaky)
        build.verdict(retried)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        site = build_site(connection)
    engine.dispose()
    assert (site.overview.cost.red, site.overview.cost.lost) == (2, 1)
    by_name = {row.identity.name: row for row in site.overview.flaky}
    assert by_name["flaky"].lost_jobs == 1
    assert by_name["retried"].lost_jobs == 0, "it passed when it was tried again"


def test_who_else_fails_is_named(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        runs = [build.run(f"c{place}") for place in range(6)]
        for name, pattern in (("one", "FF.F.."), ("two", "FF...."), ("often", "F.FFFF"), ("healthy", "......")):
            test = build.test(name)
            build.results(test, runs, pattern)
            build.verdict(test)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        pages = {page.summary.identity.name: page for page in build_site(connection).pages}
    engine.dispose()
    assert [(other.label.rpartition("::")[2], other.together) for other in pages["one"].companions] == [("two", 2)]


def test_same_input_gives_the_same_bytes(team: Engine, team_site: Path, tmp_path: Path) -> None:
    write_report(team, tmp_path / "out")
    first, second = (
        {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        for site in (team_site, tmp_path / "out")
    )
    assert first == second
    assert len(first) == 16


@pytest.mark.parametrize("kind", ["team_site", "hostile_site"])
def test_pages_are_whole_and_load_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(kind).resolve()
    pages = pages_of(site)
    assert len(pages) >= 14
    for name, page in pages.items():
        assert page.tags["script"] == 1, name
        assert page.tags["style"] == 1, name
        assert page.tags["img"] == page.tags["iframe"] == page.tags["object"] == page.tags["link"] == 0, name
        assert "style" not in page.attributes, "the policy forbids style attributes"
        assert not {attribute for attribute in page.attributes if attribute.startswith("on")}, name
        assert len(page.ids) == len(set(page.ids)), f"{name} has an id twice"
        assert page.tags["h1"] == 1, name
        for link in page.links:
            target, _, anchor = link.partition("#")
            assert ":" not in link, name
            there = (site / name).parent / target if target else site / name
            assert there.resolve().is_file(), f"{name} links to {link}"
            if anchor:
                known = pages[there.resolve().relative_to(site).as_posix()].ids
                assert anchor in known or anchor == "flaky", f"{name} links to {link}"


def test_hostile_text_is_shown_as_text(hostile_site: Path) -> None:
    index = (hostile_site / "index.html").read_text(encoding="utf-8")
    assert "<script>document" not in index
    assert "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;" in index
    everything = "".join(path.read_text(encoding="utf-8") for path in hostile_site.rglob("*.html"))
    assert "␛[31mred␛[0m ␇ ␀ ⟨U+0085⟩" in everything
    assert "⟨U+202E⟩right to left ⟨U+2066⟩mark" in everything
    assert "{{ 7 * 7 }}" in everything
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", everything)
    assert max(len(path.name) for path in hostile_site.rglob("*")) < 80
    assert max(path.stat().st_size for path in hostile_site.rglob("*")) < 2_000_000


def test_slugs_are_safe_and_unique() -> None:
    names = [*HOSTILE, "Same Name", "same-name", "..", "aux", "a/b", "a\\b"]
    slugs = [slug(TestIdentity("p", "s", "c", name)) for name in names]
    assert all(re.fullmatch(r"[a-z0-9-]{12,60}", found) for found in slugs)
    assert len(set(slugs)) == len(names)
    assert slug(TestIdentity("p", "s", "c", "test_abort[sh]")) == "test-abort-sh-78b69b728d"


def test_verdicts_that_are_missing_or_old_are_told(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        test = build.test("one")
        build.results(test, [build.run("c1"), build.run("c2")], ".F")
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    assert not verdicts_are_current(engine)
    assert "Run flakehunter detect" in write_report(engine, tmp_path / "out").overview.warning
    page = Page((tmp_path / "out/index.html").read_text(encoding="utf-8"))
    assert "No test has been judged yet" in page.text
    engine.dispose()


def test_nothing_to_report_says_which_projects_there_are(team: Engine, tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match="no project 'other'") as caught:
        write_report(team, tmp_path / "out", project="other")
    assert caught.value.hint == "known projects: default"
    assert not (tmp_path / "out").exists()


def test_templates_of_the_users_go_first(team: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/style.css").write_text("body { color: teal }")
    write_report(team, tmp_path / "out", templates=tmp_path / "mine")
    assert "<style>body { color: teal }</style>" in (tmp_path / "out/index.html").read_text(encoding="utf-8")


def test_a_test_without_a_name_has_words_to_click_on(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        test = build.test("", classname="tests.test_empty")
        build.results(test, [build.run("c1"), build.run("c2")], ".F")
        build.verdict(test)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    write_report(engine, tmp_path / "site")
    engine.dispose()
    for page in pages_of(tmp_path / "site").values():
        assert "(no name)" in page.text or "Mechanisms" in page.text
    assert "(no name)" in pages_of(tmp_path / "site")["index.html"].text


@pytest.mark.parametrize("year", [1, 1970, 1980])
def test_a_moment_that_stands_for_not_known_is_not_shown(tmp_path: Path, year: int) -> None:
    with Builder(tmp_path / "x.db") as build:
        runs = [build.run("c1", at=START.replace(year=year)), build.run("c2", at=START)]
        test = build.test("one")
        build.results(test, runs, "F.")
        build.verdict(test, since="c1")
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        site = build_site(connection)
    engine.dispose()
    assert site.overview.first == site.overview.last == START
    since = site.pages[0].summary.since
    assert since is not None
    assert since.when is None


def test_flake_rate_counts_the_attempts_of_flaky_tests(team: Engine) -> None:
    with team.connect() as connection:
        trend = build_site(connection).overview.trend
    assert sum(period.flaky_failures for period in trend.periods) == 12
    assert sum(period.flaky_attempts for period in trend.periods) == 2 * 42
    assert trend.periods[0].flake_rate == 0


def test_durations_are_drawn_for_the_worst_tests_and_told_for_all(
    team: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.report.html.MOST_PICTURES", 1)
    write_report(team, tmp_path / "site")
    pages = [path.read_text(encoding="utf-8") for path in sorted((tmp_path / "site/tests").glob("*-*.html"))]
    assert sum("Chart: durations" in page for page in pages) == 1
    assert all("How long it takes" in page and "Passes: " in page for page in pages)


def test_tables_end_where_a_page_would_be_too_large_and_a_list_has_all(
    team: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.report.html.MOST_ROWS", 1)
    write_report(team, tmp_path / "site")
    pages = pages_of(tmp_path / "site")
    assert "The worst 1 of 2; the list of all tests has the others." in pages["index.html"].text
    assert "tests/index.html" in pages["index.html"].links
    listed = {link for link in pages["tests/index.html"].links if link.endswith(".html") and "/" not in link}
    assert listed == {path.name for path in (tmp_path / "site/tests").glob("*.html")} - {"index.html"}
