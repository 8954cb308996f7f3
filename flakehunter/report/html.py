"""Render the views as HTML pages: one text per file name, nothing written, no clock, no network."""

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from flakehunter.report import charts, text
from flakehunter.report.cells import attempt_rows, squares
from flakehunter.report.guide import GUIDES, UNKNOWN_FIX
from flakehunter.report.views import Overview, Site, TestPage
from flakehunter.report.words import describe_commit, lede, place, sentence

HERE = Path(__file__).resolve().parent
SCRIPTS = ("sortable.auto.min.js", "app.js")


MOST_PICTURES = 100
"""Tests, worst first, whose durations are drawn; a picture takes 60 ms, and the words below it say the same."""


MOST_ROWS = 500
"""Tests in a table, worst first: about 1.2 KB each, and no page may be over 2 MB. tests/index.html lists all."""


def render(site: Site, *, templates: Path | None = None) -> Iterator[tuple[str, str]]:
    """Give (path below the output folder, HTML) of every page; files in the user's folder `templates` go first."""
    environment = _environment(templates)
    overview = environment.get_template("index.html")
    yield "index.html", overview.render(site=site, root="", charts=_overview_charts(site.overview))
    test = environment.get_template("test.html")
    by_cost = [*site.overview.flaky, *site.overview.broken, *site.overview.unsure]
    worst = {row.slug for row in by_cost[:MOST_PICTURES]}
    for page in site.pages:
        charts_of_page = _page_charts(page, drawn=page.summary.slug in worst)
        yield f"tests/{page.summary.slug}.html", test.render(page=page, root="../", **charts_of_page)
    listed = environment.get_template("tests.html")
    yield "tests/index.html", listed.render(tests=[row.summary for row in site.pages], root="../")
    yield "mechanisms/index.html", environment.get_template("mechanisms.html").render(site=site, root="../")
    mechanism_page = environment.get_template("mechanism.html")
    for mechanism, guide in GUIDES.items():
        tests = site.by_mechanism.get(mechanism, ())
        yield (
            f"mechanisms/{mechanism.value}.html",
            mechanism_page.render(mechanism=mechanism, guide=guide, tests=tests, root="../"),
        )


def _overview_charts(overview: Overview) -> dict[str, Markup]:
    drawn = {"trend": charts.trend(overview.trend)}
    rate = charts.flake_rate(overview.trend)
    if rate is not None:
        drawn["rate"] = rate
    if overview.mechanisms:
        drawn["mechanisms"] = charts.mechanisms(overview.mechanisms)
    return drawn


def _page_charts(page: TestPage, *, drawn: bool) -> dict[str, Any]:
    mechanism = page.summary.mechanism
    return {
        "guide": GUIDES[mechanism] if mechanism else None,
        "chart_durations": charts.durations(page.durations) if drawn else None,
        "chart_left_out": not drawn,
        "chart_deaths": charts.deaths(page.deaths) if page.deaths else None,
        "chart_trace": charts.timeline(page.trace) if page.trace else None,
        "experiments": [
            (view, charts.arms(view.arms, key=f"arms{place}") if view.arms else None)
            for place, view in enumerate(page.experiments)
        ],
    }


def _environment(templates: Path | None) -> Environment:
    folders = [HERE / "templates", HERE / "static"]
    environment = Environment(
        loader=FileSystemLoader([templates, *folders] if templates else folders),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cut=text.cut,
        breakable=breakable,
        cut_lines=text.cut_lines,
        percent=text.percent,
        interval=text.interval,
        seconds=text.seconds,
        span=text.span,
        day=text.day,
        minute=text.minute,
        number=text.number,
        plural=text.plural,
        signed=text.signed,
        short_hashes=text.short_hashes,
        durations=charts.describe,
        attempt_rows=attempt_rows,
        squares=squares,
        counts=describe_commit,
        place=place,
        sentence=sentence,
        lede=lede,
    )
    environment.tests["bad"] = lambda outcome: outcome.is_bad
    style = _static(environment, "style.css")
    script = "\n".join(_static(environment, name) for name in SCRIPTS)
    environment.globals.update(
        style=Markup(style),
        script=Markup(script),
        policy=Markup(content_policy(style, script)),
        guides=GUIDES,
        unknown_fix=UNKNOWN_FIX,
        most_rows=MOST_ROWS,
        version=version("flakehunter-ci"),
    )
    return environment


def _static(environment: Environment, name: str) -> str:
    """Return a file that goes into every page; a template folder of the user's may bring its own."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()


def content_policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing is loaded, and only our own style and script run, by their hash.

    They are inline because `'self'` means nothing certain for a page that is opened from a file.
    """
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )


def breakable(given: str) -> Markup:
    """Return `given` as HTML in which long names may be broken after underscores, slashes, dots and colons."""
    return Markup(re.sub(r"(?<=[_/.:])(?=[A-Za-z])", "<wbr>", str(escape(text.visible(given)))))


def _finalize(value: object) -> object:
    """Make controls and invisible letters visible in everything that is printed into a page."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.visible(value)
    return "" if value is None else value
