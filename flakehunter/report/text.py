"""How values are written for people, and how hostile text is made visible as text."""

import re
from datetime import datetime

from flakehunter.model import Interval

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English month names: strftime would ask the locale, and the same input must give the same bytes."""

_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
"""Controls, invisible letters, marks that turn the direction of writing, and what UTF-8 or HTML cannot hold."""


def visible(text: str) -> str:
    """Return `text` with every control and invisible letter replaced by one that can be seen; tab and line feed stay.

    C0 controls become their pictures (ESC is U+241B), all others their code point, such as `<U+202E>`.
    """
    return _ODD.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"


def cut(text: str, limit: int = 160) -> str:
    """Return `text`, or its two ends where it is longer than `limit`: the end of a test's id is what tells it apart."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]}\u2026{text[-(limit - head - 1) :]}"


def cut_lines(text: str, *, lines: int = 60, letters: int = 6000) -> str:
    """Return the first and last lines of a long text, and say how much is left out between."""
    text = text.replace("\r\n", "\n").strip("\n")
    rows = text.split("\n")
    if len(rows) > lines:
        head = lines // 3
        tail = lines - head
        rows = [*rows[:head], f"\u2026 {len(rows) - lines} lines left out \u2026", *rows[-tail:]]
    text = "\n".join(rows)
    if len(text) <= letters:
        return text
    head = letters // 3
    return f"{text[:head]}\n\u2026 {len(text) - letters} letters left out \u2026\n{text[head - letters :]}"


def percent(value: float) -> str:
    """Return a rate in percent with as many digits as say something."""
    scaled = value * 100
    if scaled <= 0:
        return "0\u202f%"
    if scaled < 0.1:
        return "<0.1\u202f%"
    digits = 1 if scaled < 9.95 or (scaled > 99 and scaled < 100) else 0
    return f"{scaled:.{digits}f}\u202f%"


def interval(rate: Interval) -> str:
    """Return the ends of an interval in percent."""
    return f"{percent(rate.low)} to {percent(rate.high)}"


def seconds(value: float | None) -> str:
    """Return a measured time."""
    if value is None:
        return ""
    if value >= 100:
        return span(value)
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1000:.3g} ms" if value > 0 else "0 s"


def span(value: float) -> str:
    """Return a cost: hours, minutes or seconds, whichever is read most easily."""
    if value >= 36_000:
        return f"{value / 3600:,.0f} h"
    if value >= 5_400:
        return f"{value / 3600:.1f} h"
    if value >= 600:
        return f"{value / 60:.0f} min"
    if value >= 90:
        return f"{value / 60:.1f} min"
    return f"{value:.0f} s" if value >= 10 or value == 0 else f"{value:.1f} s"


def day(moment: datetime | None) -> str:
    """Return the day of a moment in UTC; empty for none."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}" if moment else ""


def minute(moment: datetime | None) -> str:
    """Return day and time of a moment in UTC; empty for none."""
    return f"{day(moment)}, {moment.hour:02}:{moment.minute:02} UTC" if moment else ""


def number(value: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def signed(count: int, one: str) -> str:
    """Return how many of something came, or went, with its noun."""
    return f"{plural(count, one)} more" if count >= 0 else f"{plural(-count, one)} fewer"


def short_hashes(text: str) -> str:
    """Return `text` with commit hashes abbreviated as people write them, and room to break after commas."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{32}\b", r"\1", text).replace(",", ", ").replace(",  ", ", ")
