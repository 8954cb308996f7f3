"""One `<testcase>` with something in it: what happened in each attempt, through junitparser's element classes."""

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from junitparser import junitparser, xunit2

from flakehunter.ingest.junit.properties import Entries, output_entries, property_entries
from flakehunter.ingest.junit.values import seconds
from flakehunter.model import Outcome


@dataclass(slots=True)
class Attempt:
    """One attempt of a test case, with what it said when it failed."""

    outcome: Outcome
    duration_s: float | None = None
    type: str = ""
    message: str = ""
    detail: str = ""


@dataclass(slots=True)
class Case:
    """All attempts of one `<testcase>`, in order, and what it printed."""

    attempts: list[Attempt] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    properties: Entries = field(default_factory=list)
    continues: bool = False
    """It adds to the attempt of the element before it, and is none of its own."""


_SKIPPED_WORDS = frozenset(
    {"notrun", "disabled", "skipped", "ignored", "suppressed", "pending", "todo", "not run", "inconclusive"}
)
_FAILED_WORDS = frozenset({"failed", "fail", "failure"})
_ERRORED_WORDS = frozenset({"errored", "error"})

_FINAL = (
    (junitparser.Error, Outcome.ERRORED),
    (junitparser.Failure, Outcome.FAILED),
    (junitparser.Skipped, Outcome.SKIPPED),
)
_INTERIM = {
    xunit2.FlakyFailure: Outcome.FAILED,
    xunit2.FlakyError: Outcome.ERRORED,
    xunit2.RerunFailure: Outcome.FAILED,
    xunit2.RerunError: Outcome.ERRORED,
}


def read_case(element: Element, framework: str) -> Case:
    """Read a `<testcase>` element of whatever dialect.

    Error wins over failure, failure over skipped, any of them over a status attribute. `flakyFailure` and
    `flakyError` are attempts before the one that counts, `rerunFailure` and `rerunError` attempts after it (Surefire,
    nextest). vitest writes one `<failure>` for each try of a test that never passed.
    """
    if not len(element):
        return Case([_final(element, [], seconds(element.get("time") or element.get("duration")))])
    entries = [_entry(child) for child in element]
    finals = [entry for entry in entries if isinstance(entry, junitparser.FinalResult)]
    interim = [entry for entry in entries if isinstance(entry, xunit2.InterimResult)]
    duration = seconds(element.get("time") or element.get("duration"))
    case = Case(output=[entry.text for entry in entries if isinstance(entry, junitparser.System) and entry.text])
    case.properties = [pair for child in element if _tag(child) == "properties" for pair in property_entries(child)]
    case.properties += [pair for text in case.output for pair in output_entries(text)]
    flaky = [_interim(entry) for entry in interim if isinstance(entry, xunit2.FlakyFailure | xunit2.FlakyError)]
    rerun = [_interim(entry) for entry in interim if isinstance(entry, xunit2.RerunFailure | xunit2.RerunError)]
    failures = [entry for entry in finals if isinstance(entry, junitparser.Failure)]
    if framework == "vitest" and len(failures) == len(finals) > 1:
        case.attempts = [_attempt(Outcome.FAILED, [entry], None) for entry in finals]
        case.attempts[-1].duration_s = duration
        return case
    last = _final(element, finals, duration)
    if flaky or rerun:
        # Surefire's time of a flaky test is the sum of all attempts; the others say it of each.
        durations = [attempt.duration_s for attempt in (*flaky, *rerun)]
        if flaky and None in durations:
            last.duration_s = None
    case.attempts = [*flaky, last, *rerun]
    case.continues = framework == "pytest" and _is_teardown_of_failed(finals)
    return case


def _entry(child: Element) -> object:
    kind = xunit2.TestCase.ITER_TYPES.get(_tag(child))
    return kind.fromelem(child) if kind else child  # type: ignore[no-untyped-call]


def _tag(element: Element) -> str:
    """Return an element's name without its namespace; nothing for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _final(element: Element, finals: list[junitparser.FinalResult], duration: float | None) -> Attempt:
    for kind, outcome in _FINAL if finals else ():
        chosen = [entry for entry in finals if isinstance(entry, kind)]
        if chosen:
            others = [entry for entry in finals if not isinstance(entry, kind | junitparser.Skipped)]
            return _attempt(outcome, [*chosen, *others], duration)
    words = {element.get(name, "").strip().lower() for name in ("status", "result")}
    if words & _SKIPPED_WORDS:
        return Attempt(Outcome.SKIPPED, duration)
    if words & _ERRORED_WORDS:
        return Attempt(Outcome.ERRORED, duration)
    if words & _FAILED_WORDS:
        return Attempt(Outcome.FAILED, duration)
    return Attempt(Outcome.PASSED, duration)


def _attempt(outcome: Outcome, entries: list[junitparser.Result], duration: float | None) -> Attempt:
    if outcome is Outcome.SKIPPED:
        return Attempt(outcome, duration)
    texts = [_text(entry) for entry in entries]
    first = entries[0]
    return Attempt(
        outcome,
        duration,
        first.type or "",
        first.message or _first_line(texts[0]),
        "\n\n".join(text for text in texts if text),
    )


def _text(entry: junitparser.Result) -> str:
    """Return an element's text, with that of elements inside it, which some producers write."""
    element: Element = entry._elem
    return "".join(element.itertext()).strip("\n")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _interim(entry: xunit2.InterimResult) -> Attempt:
    outcome = next(outcome for kind, outcome in _INTERIM.items() if isinstance(entry, kind))
    detail = (entry.stack_trace or entry.text or "").strip("\n")
    printed = "\n".join(text for text in (entry.system_out, entry.system_err) if text and text.strip())
    return Attempt(
        outcome,
        seconds(entry._elem.get("time")),
        entry.type or "",
        entry.message or _first_line(detail),
        f"{detail}\n{printed}".strip("\n") if printed else detail,
    )


def _is_teardown_of_failed(finals: list[junitparser.FinalResult]) -> bool:
    """Whether a pytest case only says that the teardown failed: after a failed call it is an element of its own."""
    return (
        len(finals) == 1
        and isinstance(finals[0], junitparser.Error)
        and (finals[0].message or "").startswith("failed on teardown")
    )


def exception_type(message: str) -> str:
    """Return the exception that a pytest message starts with, such as `subprocess.TimeoutExpired`; '' for none."""
    found = re.match(r"([A-Za-z_][\w.]*)(?::|$)", message)
    return found[1] if found and found[1].rpartition(".")[2][:1].isupper() else ""
