"""Limits that keep a hostile or broken file from taking the machine; every one can be set."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. Sizes are in bytes unless the name says otherwise."""

    xml_depth: int = 200
    """Elements inside each other; the deepest real file known has 12."""
    xml_element: int = 32 * MIB
    """One test case, or one suite's output: bigger ones are refused, since they have to be in memory as a whole."""
    xml_prolog: int = MIB
    """What may come before the root element: comments, processing instructions."""
    detail_chars: int = 64 * 1024
    """Characters kept of one failure's text; the middle of longer ones is left out."""
    message_chars: int = 8 * 1024
    """Characters kept of one failure's message."""
    name_chars: int = 4 * 1024
    """Characters kept of a test's name."""
    line_chars: int = 2000
    """Characters kept of one log line."""
    properties: int = 500
    """Properties kept of one element."""
    property_chars: int = 4 * 1024
    """Characters kept of one property's value."""
    batch_results: int = 10_000
    """Results handed over at once; a file with more is written in parts, within one transaction."""
    archive_entries: int = 200_000
    """Files in one archive, with those in archives inside of it."""
    archive_bytes: int = 16 * 1024 * MIB
    """What one archive may unpack to."""
    archive_ratio: int = 250
    """How many times its own size a member may unpack to, beyond the first 8 MiB; XML comes to 30, a bomb to 1000."""
    archive_depth: int = 3
    """Archives inside each other."""
    events: int = 20_000
    """Log events kept of one file."""


DEFAULT_LIMITS = Limits()
