"""Forms of a scan's outcome: text with both lines quoted, JSON, GitHub annotations, GitLab code quality."""

import json
from collections.abc import Callable
from enum import StrEnum

from flakehunter.console import plural
from flakehunter.scan.findings import Confidence, Finding, Report
from flakehunter.scan.sarif import as_sarif

__all__ = ["Format", "as_text", "render", "summary"]


class Format(StrEnum):
    """Forms of the output."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"


def render(report: Report, form: Format) -> str:
    """Return the outcome in a form for machines; `as_text` is the one for people."""
    writers: dict[Format, Callable[[Report], str]] = {
        Format.JSON: _as_json,
        Format.SARIF: as_sarif,
        Format.GITHUB: _as_github,
        Format.GITLAB: _as_gitlab,
        Format.TEXT: as_text,
    }
    return writers[form](report)


def as_text(report: Report) -> str:
    """Return each finding as a compiler would write it, with the source of both lines below."""
    return "\n\n".join(_paragraph(finding) for finding in report.findings)


def _paragraph(finding: Finding) -> str:
    unsure = "" if finding.confidence is Confidence.LIKELY else "possible "
    where = f"{finding.file}:{finding.look_line}"
    lines = [f"{where}: {unsure}{finding.mechanism}: {finding.message}", f"  in {finding.function}"]
    quoted = {finding.signal_line: finding.signal_source, finding.look_line: finding.look_source}
    first = "starts" if finding.mechanism in ("assign-after-exit",) else "signals"
    roles = {finding.signal_line: first, finding.look_line: "looks"}
    if finding.signal_line == finding.look_line:
        roles = {finding.look_line: "both"}
    if finding.mechanism == "signal-before-ready":
        roles = {finding.look_line: "starts", finding.signal_line: "signals"}
    lines.extend(f"  {number:>6} {roles[number]:<8}| {quoted[number].strip()}" for number in sorted(quoted))
    return "\n".join(lines)


def summary(report: Report) -> str:
    """Return the closing line: how many findings, in how many files, and what was left out."""
    count = len(report.findings)
    parts = [f"{plural(count, 'finding')} in {plural(report.files, 'source file')}"]
    if report.held_back:
        them = "it" if report.held_back == 1 else "them"
        parts.append(f"{plural(report.held_back, 'possible one')} not shown (--possible shows {them})")
    if report.silenced:
        parts.append(f"{report.silenced} silenced by comments")
    if report.broken:
        parts.append(f"{plural(len(report.broken), 'file')} with syntax errors, scanned as far as they parse")
    if report.skipped:
        parts.append(f"{plural(len(report.skipped), 'file')} skipped")
    more = " (-v names them)" if report.broken or report.skipped else ""
    return "; ".join(parts) + more


def _as_json(report: Report) -> str:
    return json.dumps(report.document(), indent=2)


def _as_github(report: Report) -> str:
    """Return workflow commands, one a finding: they become annotations of the lines of a pull request."""
    return "\n".join(map(_annotation, report.findings))


def _annotation(finding: Finding) -> str:
    level = "warning" if finding.confidence is Confidence.LIKELY else "notice"
    where = f"file={_property(finding.file)},line={finding.look_line}"
    title = _property(f"flakehunter: {finding.mechanism}")
    text = _data(f"{finding.message} (signalled on line {finding.signal_line}, in {finding.function})")
    return f"::{level} {where},title={title}::{text}"


def _data(text: str) -> str:
    # The escapes of workflow commands: "Workflow commands for GitHub Actions", GitHub's documentation.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _as_gitlab(report: Report) -> str:
    """Return GitLab's code quality report: a list of issues with a fingerprint that is unique in the list."""
    seen: dict[str, int] = {}
    issues = []
    for finding in report.findings:
        number = seen[finding.fingerprint] = seen.get(finding.fingerprint, -1) + 1
        issues.append(
            {
                "description": f"{finding.message} (in {finding.function}, signalled on line {finding.signal_line})",
                "check_name": finding.mechanism.value,
                "fingerprint": f"{finding.fingerprint}{number or ''}",
                "severity": "minor" if finding.confidence is Confidence.LIKELY else "info",
                "location": {"path": finding.file, "lines": {"begin": finding.look_line}},
            }
        )
    return json.dumps(issues, indent=2)
