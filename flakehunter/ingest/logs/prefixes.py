"""What CI services write around each line: timestamps, sections, groups, colours."""

import re
from datetime import UTC, datetime

from flakehunter.ingest.text import ANSI

_ISO = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"

_PREFIXES: tuple[re.Pattern[str], ...] = (
    # GitHub Actions and Azure Pipelines; `gh run view --log` puts job and step before it.
    re.compile(rf"\ufeff?(?:[^\t\n]{{1,200}}\t[^\t\n]{{1,200}}\t)?\ufeff?{_ISO} ?"),
    # GitLab 17 with FF_TIMESTAMPS: stream number, O or E, and + for a continued line.
    re.compile(rf"{_ISO} \d\d[OE][ +]"),
    # Jenkins, Timestamper plugin.
    re.compile(rf"\[{_ISO}\] ?"),
)
_GITLAB_STREAM = re.compile(rf"{_ISO} \d\d[OE][ +]")
_CLOCK_ONLY = re.compile(r"(?:\[?\d\d:\d\d:\d\d(?:[.,]\d{1,6})?\]? )(?=\S| )")
_BUILDKITE = re.compile(r"\x1b_bk;t=(\d{13})\x07")
_GITLAB_SECTION = re.compile(r"section_(?:start|end):(\d{9,11}):[\w.\-\[\]=,]+\r(?:\x1b\[0K)?")
_TRAVIS_SECTION = re.compile(r"travis_(?:time|fold):(?:start|end)[:\w=,.\-]*\r?(?:\x1b\[0K)?")
_GITHUB_COMMAND = re.compile(r"##\[(?:group|endgroup|command|section|debug|warning|error|notice)\]")


def split_prefix(line: str) -> tuple[datetime | None, str]:
    """Split a raw line into the moment it was written, where the CI service says it, and the runner's own text.

    Terminal escapes are taken out, and of a line that was overwritten (carriage returns) the last state stays.
    """
    moment: datetime | None = None
    if "\x1b_bk;" in line:
        found = _BUILDKITE.search(line)
        if found:
            moment = datetime.fromtimestamp(int(found[1]) / 1000, tz=UTC)
        line = _BUILDKITE.sub("", line)
    if "section_" in line:
        found = _GITLAB_SECTION.search(line)
        if found:
            moment = datetime.fromtimestamp(int(found[1]), tz=UTC)
        line = _GITLAB_SECTION.sub("", line)
    if "travis_" in line:
        line = _TRAVIS_SECTION.sub("", line)
    first = line[:1]
    if first.isdigit() or first in "[\ufeff" or "\t" in line:
        # Timestamps come before colours, so this is the place to look for them.
        found = _GITLAB_STREAM.match(line)
        if found is None:
            found = next((hit for pattern in _PREFIXES if (hit := pattern.match(line))), None)
        if found is not None:
            moment = _moment(found[1]) or moment
            line = line[found.end() :]
    if "\x1b" in line:
        line = ANSI.sub("", line)
    if "##[" in line:
        line = _GITHUB_COMMAND.sub("", line, count=1)
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.rpartition("\r")[2]
    return moment, line


def without_clock(line: str) -> str:
    """Return `line` without a leading time of day, as Jenkins and Buildbot write it."""
    return _CLOCK_ONLY.sub("", line, count=1) if line[:1].isdigit() or line[:1] == "[" else line


def _moment(text: str) -> datetime | None:
    try:
        # Seven digits of a second are more than Python reads.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
