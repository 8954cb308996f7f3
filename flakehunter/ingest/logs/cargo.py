"""Console output of `cargo test`, libtest's JSON, and cargo-nextest."""

import json
import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_WORDS = {"ok": Outcome.PASSED, "FAILED": Outcome.FAILED, "failed": Outcome.FAILED, "ignored": Outcome.SKIPPED}
_BINARY = re.compile(
    r"\s*(?:Running (?:unittests )?(?P<source>\S+)(?: \((?P<path>\S+)\))?|Doc-tests (?P<crate>\S+))\s*$"
)
_TEST = re.compile(r"test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<rest>.*)$")
_OUTCOME = re.compile(r"(?P<word>ok|FAILED|ignored)(?:, .*| <[\d.]+s>)?\s*$")
_SECTION = re.compile(r"---- (?P<name>.+?) (?:stdout|stderr) ----$")


class CargoReader(LineReader):
    """Reads libtest's plain output, one binary after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._binary = ""
        self._pending = ""
        self._in_section = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        binary = _BINARY.match(line)
        if binary:
            self._binary = binary["crate"] or _binary_of(binary["path"] or binary["source"])
            self.owner, self._in_section = None, False
            return None
        section = _SECTION.match(line)
        if section:
            self._close()
            self._in_section = True
            return self.begin(self._binary, section["name"])
        test = _TEST.match(line)
        if test:
            outcome = _OUTCOME.match(test["rest"])
            if outcome:
                self.add(self._binary, test["name"], _WORDS[outcome["word"]], suite=self._binary)
                return Owner((self._binary, test["name"]))
            self._pending = test["name"]
            return self.begin(self._binary, test["name"])
        if self._pending and (outcome := _OUTCOME.match(line)):
            self.add(self._binary, self._pending, _WORDS[outcome["word"]], suite=self._binary)
            self._pending, owner, self.owner = "", self.owner, None
            return owner
        if line.startswith(("failures:", "test result:")):
            self._close()
            self.owner = None
            return None
        return self.collect(line)

    def _close(self) -> None:
        if self._in_section and self.owner is not None:
            for result in reversed(self.results):
                if (result.classname, result.name) == self.owner.test:
                    self.take_text(result)
                    break
        self._in_section = False

    def end(self) -> None:
        """Close the last failure."""
        self._close()


def _binary_of(path: str) -> str:
    """Return a test binary's name from `target/debug/deps/demo-8348ca7a80742723`."""
    return re.sub(r"-[0-9a-f]{16}(?:\.exe)?$", "", re.split(r"[\\/]", path)[-1])


class CargoFormat:
    """How libtest's output is recognised."""

    name = "cargo-test"
    weak = NEVER
    start = re.compile(
        r"running \d+ tests?\s*$|test \S+(?: - should panic)? \.\.\. (?:ok|FAILED|ignored)\s*$"
        r"|\s*Running (?:unittests )?\S+ \(target|\s*Doc-tests \S+\s*$"
    )

    def reader(self) -> CargoReader:
        """Return a reader for the output."""
        return CargoReader()


class CargoJsonReader(LineReader):
    """Reads libtest's JSON, one event a line."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if not line.lstrip().startswith("{"):
            return None
        try:
            event = json.loads(line)
        except ValueError:
            return None
        if not isinstance(event, dict) or event.get("type") != "test" or not isinstance(event.get("name"), str):
            return None
        outcome = {**_WORDS, "timeout": None}.get(str(event.get("event")))
        if outcome is not None:
            seconds = event.get("exec_time", event.get("duration"))
            found = re.match(r"[\d.]+", str(seconds or ""))
            result = self.add("", event["name"], outcome, found[0] if found else None)
            result.detail = str(event.get("stdout") or "") if outcome.is_bad else ""
            result.message = next((text.strip() for text in result.detail.splitlines() if text.strip()), "")
        return Owner(("", event["name"]))


class CargoJsonFormat:
    """How libtest's JSON is recognised."""

    name = "cargo-json"
    weak = NEVER
    start = re.compile(r'\s*\{ ?"type": ?"(?:suite|test)", ?"(?:event|name)":')

    def reader(self) -> CargoJsonReader:
        """Return a reader for the stream."""
        return CargoJsonReader()


_NEXTEST = re.compile(
    r"\s*(?:TRY (?P<try>\d+) )?(?P<word>PASS|FAIL|SKIP|FLAKY \d+/\d+|LEAK|LEAK-FAIL|TIMEOUT|TMT|ABORT|SIG[A-Z]+)"
    r" \[ *(?P<time>[\d.]+)?s?\](?: \( *(?:\d+/\d+|─+)\))? +(?P<binary>\S+) (?P<name>\S.*)$"
)


class NextestReader(LineReader):
    """Reads cargo-nextest: each try has a line of its own, and all bad ones come again in the summary."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False
        self._last: tuple[str, str] | None = None

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        # In newer versions a test's output comes after its line, and does not name it.
        if self._last is not None and re.fullmatch(r"\s*(?:stdout|stderr|output) ─+\s*", line):
            return self.begin(*self._last)
        if line.strip().startswith("Summary ["):
            self._over = True
            self.owner = None
        found = _NEXTEST.match(line)
        if found is None:
            section = re.match(r"\s*(?:-{2,} )?(?:STDOUT|STDERR): +(\S+) (\S.*?)(?: -+)?$", line)
            return self.begin(section[1], section[2]) if section else self.owner
        self._last = (found["binary"], found["name"])
        owner = Owner(self._last)
        word = found["word"]
        # `TRY 2 PASS` is the last try; `FLAKY 2/3` says the same once more.
        if not self._over and not word.startswith("FLAKY"):
            outcomes = {"PASS": Outcome.PASSED, "LEAK": Outcome.PASSED, "SKIP": Outcome.SKIPPED}
            binary, name = found["binary"], found["name"]
            self.add(binary, name, outcomes.get(word, Outcome.FAILED), found["time"], suite=binary)
        return owner


class NextestFormat:
    """How cargo-nextest's output is recognised."""

    name = "cargo-nextest"
    weak = NEVER
    start = re.compile(
        r"\s*(?:Nextest run ID |Starting \d+ tests? across \d+ binar)|\s*(?:PASS|FAIL) \[ *[\d.]+s\] +\S+ \S"
    )

    def reader(self) -> NextestReader:
        """Return a reader for the output."""
        return NextestReader()
