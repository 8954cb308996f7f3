"""CODEOWNERS as GitHub and GitLab read it: the last line that fits decides."""

from pathlib import Path

import pytest

from flakehunter.errors import UsageError
from flakehunter.report.owners import NOBODY, find_owners, read_owners

FILE = """\
# comment
*               @everyone
*.js            @js-owner # the front end
/build/logs/    @doctocat
docs/*          docs@example.com
apps/           @octocat @second
/scripts/**/x   @deep
/apps/github
spaced\\ name/   @space
[Database][2] @db-team
model/db/
"""


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("README.md", "@everyone"),
        ("a/b/c.js", "@js-owner"),
        ("build/logs/x.log", "@doctocat"),
        ("deep/build/logs/x.log", "@everyone"),
        ("docs/getting-started.md", "docs@example.com"),
        ("docs/build-app/troubleshooting.md", "@everyone"),
        ("lib/apps/x.py", "@octocat @second"),
        ("scripts/a/b/x", "@deep"),
        ("scripts/x", "@deep"),
        ("apps/github/y.py", NOBODY),
        ("./apps/x.py", "@octocat @second"),
        ("apps\\windows.py", "@octocat @second"),
        ("spaced name/x", "@space"),
        ("model/db/x.rb", "@db-team"),
        ("", NOBODY),
    ],
)
def test_last_line_that_fits_decides(tmp_path: Path, path: str, owner: str) -> None:
    (tmp_path / "CODEOWNERS").write_text(FILE)
    assert read_owners(tmp_path / "CODEOWNERS").of(path) == owner


def test_file_is_found_where_the_servers_look(tmp_path: Path) -> None:
    assert find_owners(tmp_path) is None
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/CODEOWNERS").write_text("* @a")
    assert find_owners(tmp_path) == tmp_path / ".github/CODEOWNERS"


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_owners(tmp_path / "none")
