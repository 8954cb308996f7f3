"""What elements say beside results: `<properties>`, and the `[[ATTACHMENT|…]]` and `[[PROPERTY|…]]` lines of output.

The lines are those of the Jenkins JUnit Attachments plugin and of https://github.com/testmoapp/junitxml; the latter
also gives a property named `attachment` the same meaning, so all three are stored as such a pair.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from junitparser import junitparser

from flakehunter.ingest.limits import Limits
from flakehunter.ingest.redact import MASK, redact
from flakehunter.ingest.text import cut, printable, stored_name

ATTACHMENT = "attachment"
"""Name of the property that is the path of a file which a test left behind."""

Entries = list[tuple[str, str]]
"""Pairs of name and value."""

_LINE = re.compile(
    r"\[\[(?:ATTACHMENT\|(?P<path>[^\]\r\n|]+)|PROPERTY\|(?P<name>[^=\]\r\n|]+)=(?P<value>[^\]\r\n]*))\]\]"
)


def property_entries(element: Element) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a `<properties>` element; a value may also be the text of the `<property>`."""
    for child in element:
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] == "property":
            entry = junitparser.Property.fromelem(child)  # type: ignore[no-untyped-call]
            if entry.name:
                yield entry.name, entry.value if entry.value is not None else (child.text or "").strip()


def output_entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield what the lines of a test's or suite's output attach to it."""
    if "[[" not in text:
        return
    for found in _LINE.finditer(text):
        if found["path"] is not None:
            yield ATTACHMENT, found["path"].strip()
        else:
            yield found["name"].strip(), found["value"].strip()


def stored_entries(entries: Entries, limits: Limits) -> tuple[tuple[str, str], ...]:
    """Return pairs as they may be stored: printable, without secrets, and no more than the limits allow.

    A value is masked when its name says that it is a secret, as in `API_TOKEN`.
    """
    return tuple(_stored(name, value, limits) for name, value in entries[: limits.properties])


def _stored(name: str, value: str, limits: Limits) -> tuple[str, str]:
    name = stored_name(name, limits.name_chars)
    start = f"{name}="
    shown = redact(start + cut(printable(value), limits.property_chars))
    return name, shown.removeprefix(start) if shown.startswith(start) else MASK
