"""Who owns a file, by CODEOWNERS."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PLACES = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub and GitLab look for the file, relative to the repository."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The rules of one CODEOWNERS file, in its order."""

    rules: Sequence[tuple[re.Pattern[str], tuple[str, ...]]]

    def of(self, file: str) -> tuple[str, ...]:
        """Return the owners of a file, by its path in the repository: the last rule that fits decides."""
        path = file.replace("\\", "/").removeprefix("./")
        for pattern, owners in reversed(self.rules):
            if pattern.match(path):
                return owners
        return ()


def find_codeowners(root: Path) -> Path | None:
    """Return the CODEOWNERS file of a repository, or None."""
    return next((root / place for place in PLACES if (root / place).is_file()), None)


def parse_codeowners(text: str) -> Owners:
    """Read the rules of a CODEOWNERS file; section headings of GitLab and comments are passed over."""
    rules = []
    for line in text.splitlines():
        words = re.split(r"(?<!\\)\s+", line.split(" #")[0].strip())
        if not words[0] or words[0].startswith(("#", "[", "^[")):
            continue
        rules.append((_pattern(words[0].replace("\\ ", " ")), tuple(words[1:])))
    return Owners(rules)


def _pattern(glob: str) -> re.Pattern[str]:
    """Translate a pattern as gitignore knows them: `/` anchors, `*` stays within a folder, `**` does not."""
    anchored = "/" in glob.rstrip("/")
    body = glob.strip("/")
    expression = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", body):
        expression += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    start = "" if anchored else "(?:.*/)?"
    # A folder owns what is below it; `docs/*` is the files of the folder alone.
    end = "$" if body.endswith("*") and not body.endswith("**") and anchored else "(?:/.*)?$"
    if glob.endswith("/"):
        end = "/.*$"
    return re.compile(f"^{start}{expression}{end}")
