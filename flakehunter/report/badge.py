"""A badge for a README: how many tests are flaky, as a small SVG."""

from markupsafe import escape

from flakehunter.report.views import Overview

LETTER = 6.6
"""Pixels of a letter at 11 px, about; a little more than most fonts need."""


def render(overview: Overview) -> str:
    """Return the badge: green without flaky tests, amber with some, red when they cost a twentieth of the jobs."""
    count = len(overview.flaky)
    share = overview.cost.lost / overview.cost.jobs if overview.cost.jobs else 0.0
    color = "#2f7d5f" if not count else "#b93c12" if share >= 0.05 else "#8f5a08"
    value = "none" if not count else str(count)
    label = "flaky tests"
    left, right = (round(len(words) * LETTER + 14) for words in (label, value))
    width = left + right
    title = escape(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{color}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14">{label}</text><text x="{left + right / 2}" y="14">{value}</text></g></svg>\n'
    )
