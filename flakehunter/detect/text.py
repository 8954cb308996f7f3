"""Apply the rules to the texts of failures and to the log lines around them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flakehunter.detect.rulebook import Rule

if TYPE_CHECKING:  # who only reads texts does without the database
    from flakehunter.db.queries.failures import Event, FailureText

Text = tuple[str, str, str]
"""Type, message and detail of a failure."""

Hits = Mapping[int, tuple[str, str]]
"""The rules that fit a text: channel and quote by the place of the rule."""

TEXT_LIMIT = 20_000
"""Characters of a text that rules see: its first and last halves. Longer ones are dumps, and patterns take time."""

QUOTE_LIMIT = 120
"""Characters of a match that the evidence quotes."""


@dataclass(frozen=True, slots=True)
class Channels:
    """The texts of one failure by channel, see `rulebook.CHANNELS`."""

    message: str = ""
    detail: str = ""
    source: str = ""
    code: str = ""
    log: str = ""
    name: str = ""

    def of(self, channel: str) -> str:
        """Return the text of one channel."""
        return str(getattr(self, channel))


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that fits a test: in what share of its failures, with the first words that fitted."""

    rule: Rule
    channel: str
    share: float
    """Share of the test's failures, 0 to 1; for log lines, less the share of the passed runs that fit as well."""
    failures: int
    """Failures that fit."""
    quote: str
    ref: str


_PYTEST = re.compile(r"^E   ", re.MULTILINE)
_CAPTURED = re.compile(r"^-+ ?Captured ")
_TRACEBACK_FILE = re.compile(r'^\s*File "[^"]+", line \d+')
_STRING = re.compile(r"""(["'`])(?:\\.|(?!\1)[^\n])*\1""")
_CODE_FRAME = re.compile(r"^\s*(>?)\s*\d+\s?[|│] ?(.*)$")


def split_code(detail: str) -> tuple[str, str]:
    """Split a failure's detail into what it says and the source lines that it quotes.

    Source lines come out with two blanks before them, the failing line with "> ". Known are pytest's excerpts, Python
    tracebacks and the code frames of JavaScript runners; in any other text everything is said and nothing is code.
    """
    said: list[str] = []
    code: list[str] = []
    is_pytest = bool(_PYTEST.search(detail))
    captured = after_file = False
    for line in detail.splitlines():
        frame = _CODE_FRAME.match(line)
        captured = captured or bool(_CAPTURED.match(line))
        if captured or not line.strip():
            said.append(line)
        elif is_pytest and line.startswith(("    ", ">")):
            code.append(f"> {line[1:]}" if line.startswith(">") else f"  {line}")
        elif frame:
            code.append(("> " if frame[1] else "  ") + frame[2])
        elif after_file and line.startswith("    "):
            code.append(f"> {line.strip()}")
        else:
            said.append(line)
        after_file = bool(_TRACEBACK_FILE.match(line))
    return "\n".join(said), "\n".join(code)


def text_of(failure: "FailureText") -> Text:
    """Return what rules read of a stored failure."""
    return failure.type, failure.message, failure.detail


def channels_of(text: Text) -> Channels:
    """Return the texts of a failure by channel."""
    type_, words, detail = text
    said, source = split_code(_cut(detail))
    message = words if type_ in words else f"{type_}: {words}"
    return Channels(message=_cut(message), detail=said, source=source, code=_STRING.sub(r"\1\1", source))


def _cut(text: str) -> str:
    half = TEXT_LIMIT // 2
    return text if len(text) <= TEXT_LIMIT else f"{text[:half]}\n{text[-half:]}"


def read_texts(rules_and_texts: tuple[Sequence[Rule], Sequence[Text]]) -> dict[Text, Hits]:
    """Return for each text which rules fit it."""
    rules, texts = rules_and_texts
    return {text: _hits(rules, text) for text in texts}


def _hits(rules: Sequence[Rule], text: Text) -> Hits:
    channels = channels_of(text)
    hits = ((place, _first_hit(rule, channels)) for place, rule in enumerate(rules))
    return {place: hit for place, hit in hits if hit}


class Readings:
    """Which rules fit a text; each text is read once.

    Many tests fail with the same words, most of all when they have one cause.
    """

    def __init__(self, rules: Sequence[Rule], known: Mapping[Text, Hits] | None = None) -> None:
        self.rules = rules
        self._known = dict(known or {})

    def of(self, failure: "FailureText") -> Hits:
        """Return the hits of all rules."""
        text = text_of(failure)
        if text not in self._known:
            self._known[text] = _hits(self.rules, text)
        return self._known[text]


def match_failures(readings: Readings, failures: Sequence["FailureText"], name: str) -> list[Match]:
    """Return the rules that fit the failures of one test, or its name.

    Args:
        readings: the rules, with what they said of the texts of other tests.
        failures: texts of the test's failures, several of a fingerprint at most; a fingerprint counts as a whole when
            one of its texts fits.
        name: the test's name, seen by the rules for names.
    """
    texts = [(failure, readings.of(failure)) for failure in failures]
    counts = {failure.fingerprint: failure.alike for failure in failures}
    total = sum(counts.values())
    matches = []
    for place, rule in enumerate(readings.rules):
        if "name" in rule.where and (found := rule.pattern.search(name)):
            matches.append(Match(rule, "name", 1.0, total, _quote(found, name), ""))
        fitting: dict[bytes, tuple[str, str, FailureText]] = {}
        for failure, hits in texts:
            if failure.fingerprint not in fitting and place in hits:
                fitting[failure.fingerprint] = (*hits[place], failure)
        if fitting:
            number = sum(counts[fingerprint] for fingerprint in fitting)
            channel, quote, failure = next(iter(fitting.values()))
            share = number / total if total else 1.0
            matches.append(Match(rule, channel, share, number, quote, f"failures:{failure.failure_id}"))
    return matches


def match_log(rules: Iterable[Rule], events: Sequence["Event"], failed: set[int]) -> list[Match]:
    """Return the rules that fit the log lines of the runs in which the test failed more than those where it passed.

    A line that stands in the log of passed runs just as often tells nothing of the failure, so the share is the
    difference between the two.

    Args:
        rules: the rules.
        events: log lines of one test, in the order of run and line.
        failed: ids of the runs in which it failed.
    """
    if not events:
        return []
    by_run: dict[int, list[Event]] = {}
    for event in events:
        by_run.setdefault(event.run_id, []).append(event)
    texts = {run: _cut("\n".join(event.text for event in lines)) for run, lines in by_run.items()}
    bad = [run for run in texts if run in failed]
    good = [run for run in texts if run not in failed]
    matches = []
    for rule in rules:
        if "log" not in rule.where:
            continue
        hits = {run: found for run in bad if (found := rule.pattern.search(texts[run]))}
        if not hits:
            continue
        in_good = sum(bool(rule.pattern.search(texts[run])) for run in good)
        share = len(hits) / len(bad) - (in_good / len(good) if good else 0.0)
        if share > 0.0:
            run, found = max(hits.items())
            event = by_run[run][texts[run].count("\n", 0, found.start())]
            ref = f"log_events:{event.id} {event.path}:{event.line}"
            matches.append(Match(rule, "log", share, len(hits), _quote(found, texts[run]), ref))
    return matches


def _first_hit(rule: Rule, channels: Channels) -> tuple[str, str] | None:
    for channel in rule.where:
        if channel in ("log", "name"):
            continue
        text = channels.of(channel)
        found = rule.pattern.search(text) if text else None
        if found:
            # Strings are empty in `code`; people read the line as it stands.
            return channel, _quote(found, text, channels.source if channel == "code" else text)
    return None


def _quote(found: re.Match[str], text: str, shown: str | None = None) -> str:
    """Return the line that was matched: of a match over several lines the last, which is where the test failed.

    `shown` is a text with the same lines to quote from.
    """
    end = len(found[0].rstrip()) + found.start()
    lines = (text if shown is None else shown).split("\n")
    line = lines[text.count("\n", 0, end if "\n" in found[0] else found.start())]
    words = " ".join(re.sub(r"^(?:E|>) ", "", line).split())
    return words if len(words) <= QUOTE_LIMIT else words[: QUOTE_LIMIT - 1] + "…"
