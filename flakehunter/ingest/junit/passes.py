"""Passes found in the text of a file: no XML element is made of a known test case that has nothing inside.

`<testcase classname="c" name="n" time="0.1" />`: the text before the time says which test it is, and file after file
has it again, letter by letter. Runs of such cases are cut out and leave a mark; what is left is read as XML. Where a
piece of text was not seen before, it is read as XML too, and what it meant is remembered.

A start tag that stands in a well-formed document outside of comments, CDATA sections and processing instructions is
one, since `<` may stand nowhere else (Extensible Markup Language 1.0, 2.4). So a cut document is well-formed exactly
where the whole one is; whoever finds it damaged reads the whole one.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MARK = "flakehunter-passes"
"""The element that stands for a run; its `n` is the number of it."""

_CASE = "<testcase "
_TIME = '" time="'
_REST = re.compile(r'([0-9.eE+-]+)"[ \t\r\n]*(?:/>|>[ \t\r\n]*</testcase[ \t\r\n]*>)[ \t\r\n]*')
"""What follows where a case has nothing inside, and nothing but the next case comes after it."""
_UTF8 = re.compile(rb"""(?:\xef\xbb\xbf)?(?!<\?xml[^>]*\sencoding\s*=\s*["'](?!(?i:utf-8)["']))""")

FEWEST = 2
"""Cases that are cut out: a mark costs as much as one."""

_MOST_TIMES = 20_000

_MOST_MARKS = 1000
"""Exclamation marks that are looked at one by one."""


class NotCut(Exception):  # noqa: N818 (it is what was found in a file, not a failure of ours)
    """The document has to be read as a whole."""


@dataclass(frozen=True, slots=True)
class Passes:
    """Test cases one after the other; `heads` is the text of each before its time, `durations` are seconds."""

    heads: list[str]
    durations: list[float]
    _pieces: list[str]

    def elements(self, start: int, stop: int) -> list[Element]:
        """Return some of them as XML elements.

        Raises:
            NotCut: they are something else.
        """
        text = "".join(f"{_CASE}{piece}" for piece in self._pieces[start:stop])
        try:
            found = list(ElementTree.fromstring(f"<passes>{text}</passes>"))
        except ElementTree.ParseError as error:
            raise NotCut from error
        if text.count("<!") or any("<" in head for head in self.heads[start:stop]):
            raise NotCut
        return found


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document without its runs of passes: marks stand in their places."""

    rest: bytes
    passes: list[Passes]


def cut_document(data: bytes, times: dict[str, float]) -> CutDocument | None:
    """Cut out what may be passes; None where there are none, or it cannot be done without reading the XML.

    `times` holds what follows a time, with the seconds; it may come from earlier files, and is added to.
    """
    if not _UTF8.match(data):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    pieces = text.split(_CASE)
    if len(pieces) < FEWEST + 2 or _hides_cases(text):
        return None
    if len(times) > _MOST_TIMES:
        times.clear()
    parts = [piece.partition(_TIME) for piece in pieces]
    known = times.get
    seconds = [known(rest) for _, _, rest in parts]
    for place in [place for place, one in enumerate(seconds) if one is None]:
        after = parts[place][2]
        seconds[place] = _seconds(after)
        if seconds[place] is not None:
            times[after] = seconds[place]  # type: ignore[assignment]
    # The first case tells the framework, and so which tests are known.
    seconds[0] = seconds[1] = None
    breaks = [place for place, one in enumerate(seconds) if one is None]
    rest = pieces[:1]
    runs: list[Passes] = []
    for before, end in pairwise([*breaks, len(pieces)]):
        if before:
            rest += _CASE, pieces[before]
        if end - before > FEWEST:
            rest.append(f'<{MARK} n="{len(runs)}"/>')
            heads = [head for head, _, _ in parts[before + 1 : end]]
            runs.append(Passes(heads, seconds[before + 1 : end], pieces[before + 1 : end]))  # type: ignore[arg-type]
        else:
            rest += [part for piece in pieces[before + 1 : end] for part in (_CASE, piece)]
    left = "".join(rest)
    # A document that has marks of its own is not cut.
    return CutDocument(left.encode(), runs) if runs and left.count(MARK) == len(runs) else None


def _hides_cases(text: str) -> bool:
    """Whether there may be something that looks like a test case and is none."""
    declared = text.find("?>") if text.startswith(("<?xml ", "\ufeff<?xml ")) else 0
    # Looking for one character that is rare takes a hundredth of looking for `<` and another.
    if declared < 0 or (text.find("?", declared + 1) >= 0 and text.find("<?", declared) >= 0):
        return True
    start = _declaration(text)
    while start >= 0:
        close = "]]>" if text.startswith("<![CDATA[", start) else "-->"
        end = text.find(close, start + 4)
        if end < 0 or not text.startswith(("<![CDATA[", "<!--"), start) or text.find(_CASE, start, end) >= 0:
            return True
        start = text.find("<!", end)
    return False


def _declaration(text: str) -> int:
    """Return where the first `<!` is, as `str.find` would."""
    at = text.find("!")
    for _ in range(_MOST_MARKS):
        if at < 0 or text[at - 1 : at] == "<":
            return max(at - 1, -1)
        at = text.find("!", at + 1)
    return text.find("<!", at - 1)


def _seconds(rest: str) -> float | None:
    """Return the time of a case with nothing inside, given what follows from there to the next case."""
    match = _REST.fullmatch(rest)
    try:
        return float(match[1]) if match is not None else None
    except ValueError:
        return None
