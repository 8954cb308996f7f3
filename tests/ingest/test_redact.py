"""Secrets are masked before anything is stored, and what is none stays."""

import pytest

from flakehunter.errors import UsageError
from flakehunter.ingest import redact as module
from flakehunter.ingest.redact import add_patterns, redact

# Put together here, so that no scanner takes this file for a leak.
SECRETS = {
    "github": "ghp" + "_" + "a1" * 18,
    "github-fine": "github" + "_pat_" + "A1" * 20,
    "gitlab": "glpat" + "-" + "x" * 20,
    "slack": "xoxb" + "-1234567890-abc",
    "aws": "AKIA" + "ABCDEFGH12345678",
    "npm": "npm" + "_" + "b" * 36,
    "pypi": "pypi" + "-" + "c" * 50,
    "jwt": "eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + ".signature",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_tokens_are_masked_wherever_they_stand(kind: str) -> None:
    assert redact(f"pushing with {SECRETS[kind]} to the host") == "pushing with [redacted] to the host"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("'authorization': 'Basic dXNlcjpwYXNz'", "'authorization': 'Basic [redacted]'"),
        ("postgresql://ci:hunter2@db/app", "postgresql://ci:[redacted]@db/app"),
        ('DB_PASSWORD="hunter2 two"', "DB_PASSWORD=[redacted]"),
        ("API_TOKEN=hunter22", "API_TOKEN=[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nend", "[redacted]\nend"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\ncut off", "[redacted]"),
    ],
)
def test_what_names_itself_a_secret_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    ["unexpected token: ')'", "KeyError: 'password'", "assert key == 4", "see https://example.org/a:b"],
)
def test_plain_text_stays(text: str) -> None:
    assert redact(text) == text


def test_patterns_of_the_user_are_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_extra", [])
    add_patterns([r"ACME-\d+"])
    assert redact("licence ACME-123 found") == "licence [redacted] found"


@pytest.mark.parametrize("pattern", ["(", "a*"])
def test_patterns_that_cannot_work_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="--redact"):
        add_patterns([pattern])
