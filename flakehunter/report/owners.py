"""Who owns a test: a CODEOWNERS file, as GitHub and GitLab read it."""

import re
from dataclasses import dataclass
from pathlib import Path

from flakehunter.errors import UsageError

PLACES = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
"""Where the file is looked for, below the folder of the configuration."""

NOBODY = "nobody"
"""Shown for tests that no line names."""

WILD = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
"""Wild cards of gitignore as regular expressions."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The lines of a CODEOWNERS file; the last one that fits a path decides."""

    lines: tuple[tuple[re.Pattern[str], str], ...]

    def of(self, path: str) -> str:
        """Return the owners of the file `path`, separated by blanks; `nobody` where no line fits."""
        path = path.replace("\\", "/").removeprefix("./").lstrip("/")
        for pattern, names in reversed(self.lines):
            if path and pattern.match(path):
                return names or NOBODY
        return NOBODY


def find_owners(root: Path) -> Path | None:
    """Return the CODEOWNERS file of a repository; None where it has none."""
    return next((root / place for place in PLACES if (root / place).is_file()), None)


def read_owners(path: Path) -> Owners:
    """Read a CODEOWNERS file: a pattern and owners a line, `#` begins a comment, `[section]` lines are GitLab's.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check --codeowners") from error
    lines, of_section = [], ""
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        section = re.fullmatch(r"\^?\[[^\]]+\](?:\[\d+\])?\s*(.*)", line)
        if section:
            of_section = " ".join(section[1].split())
        elif line:
            pattern, *names = re.split(r"(?<!\\)\s+", line)
            lines.append((_regex(pattern.replace("\\ ", " ")), " ".join(names) or of_section))
    return Owners(tuple(lines))


def _regex(pattern: str) -> re.Pattern[str]:
    """Translate a pattern of gitignore: `/` in front or inside ties it to the root, `**` crosses folders."""
    folder = pattern.endswith("/")
    body = pattern.strip("/")
    rooted = pattern.startswith("/") or "/" in body
    out = "" if rooted else "(?:.*/)?"
    for part in re.findall(r"/\*\*/|\*\*/|/\*\*|\*\*|\*|\?|[^*?/]+|/", body):
        out += {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            part, re.escape(part)
        )
    # A pattern that names a folder holds for everything below it; one that ends in `/*` only for its own files.
    tail = "/.+" if folder else "" if body.endswith("/*") else "(?:/.*)?"
    return re.compile(f"(?:{out}){tail}\\Z")
