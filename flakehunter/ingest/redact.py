"""Secrets that CI logs and failure texts carry are masked before anything is stored."""

import re

MASK = "[redacted]"

# Formats as their owners document them (GitHub, GitLab, Slack, AWS, Google, npm, PyPI, Stripe), then what names itself.
_TOKENS = re.compile(
    r"""
    \b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|glrt-[A-Za-z0-9_-]{16,}
    |xox[abeoprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}
    |npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|(?:sk|rk)_live_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{32,}
    |eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)
    """,
    re.VERBOSE,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END \1-----|\Z)", re.DOTALL
)
_AUTHORIZATION = re.compile(
    r"(?i)\b((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)(?:(basic|bearer|token|digest|negotiate)\s+)?[^\s'\",;]+"
)
_ASSIGNED = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|access[_-]?token|auth[_-]?token|private[_-]?token"
    r"|(?-i:[A-Z0-9_]*_TOKEN))"
    r"['\"]?\s*[:=]\s*)(\"[^\"\n]{4,}\"|'[^'\n]{4,}'|[^\s'\",;&]{4,})"
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@", re.IGNORECASE)

# Any text without one of these words is left alone: `in` is ten times as quick as an expression without case.
_WORDS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glrt-", "xox", "akia", "asia", "aiza", "ya29"),
    *(
        "npm_",
        "pypi-",
        "_live_",
        "sk-",
        "eyj",
        "private key",
        "authorization",
        "passw",
        "secret",
        "key",
        "token",
        "://",
    ),
)

_extra: list[re.Pattern[str]] = []


def add_patterns(patterns: list[str]) -> None:
    """Mask what these regular expressions match, too.

    Raises:
        UsageError: one of them is not a regular expression.
    """
    from flakehunter.errors import UsageError

    for pattern in patterns:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise UsageError(
                f"--redact {pattern!r} is not a regular expression: {error}", hint="see the re module of Python"
            ) from error
        if compiled.match(""):
            raise UsageError(f"--redact {pattern!r} matches the empty text", hint="write what the secret looks like")
        _extra.append(compiled)


def own_patterns() -> tuple[str, ...]:
    """Return the patterns that were added."""
    return tuple(pattern.pattern for pattern in _extra)


def set_patterns(patterns: tuple[str, ...]) -> None:
    """Let these be the patterns that were added: a worker serves one ingest after the other."""
    _extra[:] = [re.compile(pattern) for pattern in patterns]


def redact(text: str) -> str:
    """Return `text` with tokens, `Authorization:` values, passwords and private keys masked."""
    for pattern in _extra:
        text = pattern.sub(MASK, text)
    lowered = text.lower()
    if not any(word in lowered for word in _WORDS):
        return text
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _TOKENS.sub(MASK, text)
    text = _AUTHORIZATION.sub(lambda found: f"{found[1]}{found[2] + ' ' if found[2] else ''}{MASK}", text)
    text = _URL_PASSWORD.sub(rf"\1{MASK}@", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)
