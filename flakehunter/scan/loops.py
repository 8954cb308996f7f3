"""Lower loops: does one poll, and for how long at most?"""

import re

from tree_sitter import Node

from flakehunter.scan import idioms
from flakehunter.scan.durations import duration_s
from flakehunter.scan.events import (
    Call,
    Event,
    Expect,
    Flow,
    Kind,
    Loop,
    Step,
    Store,
    events,
    walk,
)
from flakehunter.scan.statements import _LEAVES, Statements
from flakehunter.scan.syntax import (
    child,
    names_in,
    text,
)
from flakehunter.scan.walking import _line

_ASKS = re.compile(r"\w\s*\(|\bnot\b|!")
_CLOCK = re.compile(r"time|now|Now|elapsed|Elapsed|Since|SECONDS")
"""A loop until some hour waits for nothing else."""


class Loops(Statements):
    """Lowers loops."""

    def _loop(self, node: Node, out: list[Step]) -> None:
        condition = child(node, "condition")
        if node.type in ("for_statement",) and condition is None:
            clause = next((n for n in node.named_children if n.type == "for_clause"), None)
            condition = child(clause, "condition") if clause is not None else None
            if clause is None and self.spec.name == "go" and node.named_child_count == 2:
                condition = node.named_children[0] if node.named_children[0].type != "range_clause" else None
        left = child(node, "left", "pattern", "name")
        right = child(node, "right", "value")
        checked = self._flow_of(condition)
        body: list[Step] = []
        if left is not None and right is not None:
            checked = (*checked, *self._flow_of(right))
            body.append(Store(_line(node), self._targets(left), (), names_in(text(right))))
        if (
            node.type == "for_statement"
            and self.spec.name == "go"
            and (ranged := next((n for n in node.named_children if n.type == "range_clause"), None))
        ):
            over, what = child(ranged, "left"), child(ranged, "right")
            if over is not None:
                body.append(Store(_line(node), self._targets(over), (), names_in(text(what))))
        for inner in node.named_children:
            if inner not in (condition, left, right) and inner.type not in ("for_clause", "range_clause"):
                self._visit(inner, body)
        flow = (*checked, *body)
        out.append(Loop(_line(node), flow, *self._polling(node, checked, tuple(body), condition)))

    def _polling(
        self, node: Node, checked: Flow, body: Flow, condition: Node | None
    ) -> tuple[bool, float | None, tuple[str, ...]]:
        """Return whether the loop polls, its deadline in seconds, and the names it may poll through a helper."""
        source = text(node) if any(isinstance(s, Event | Call) for s in walk((*checked, *body))) else ""
        if not source:
            return False, None, ()
        condition_text = text(condition)
        pauses = list(events(body, Kind.SLEEP)) + [e for e in events(body, Kind.WAIT) if e.timeout_s is not None]
        pauses += [e for e in events(checked, Kind.WAIT) if e.timeout_s is not None]
        looks = list(events(body, Kind.LOOK)) + [s for s in walk(body) if isinstance(s, Call) and _looks(s)]
        in_condition = any(events(checked, Kind.LOOK)) or any(isinstance(s, Call) and _looks(s) for s in walk(checked))
        leaves = bool(_LEAVES.search(source))
        asserted = any(getattr(look, "expect", None) is Expect.DEAD for look in looks)
        endless = (
            node.type in ("loop_expression",)
            or re.match(r"\(?\s*(?:true|True|1|;;)?\s*\)?$", condition_text) is not None
        )
        binds = any(events(body, Kind.BIND, Kind.USE))
        in_condition = in_condition or (bool(pauses) and any(events(checked, Kind.BIND, Kind.EFFECT)))
        polls = (
            in_condition
            or (bool(pauses) and bool(looks) and (leaves or not asserted))
            or (endless and leaves and bool(looks) and condition is not None)
        )
        polls = polls or (bool(pauses) and leaves and binds)
        polls = polls or any(
            isinstance(s, Store)
            and any(events(s.value, Kind.LOOK))
            and any(_names(target, condition_text) for target in s.targets)
            for s in walk(body)
        )
        maybe = bool(pauses) or condition is not None
        names = (
            tuple(
                {
                    n
                    for s in walk((*checked, *body))
                    if isinstance(s, Call)
                    for arg in (*s.args, s.receiver)
                    for n in arg
                }
            )
            if maybe and not polls
            else ()
        )
        asks = not endless and _ASKS.search(condition_text) is not None and not _CLOCK.search(condition_text)
        if not polls and not names and pauses and (leaves or asks):
            names = ("?",)  # it waits for something, of which nothing is known here
        return polls, self._deadline(source, condition_text, pauses) if polls or names else None, names

    def _deadline(self, source: str, condition: str, pauses: list[Event]) -> float | None:
        for name in re.findall(
            r"\b(\w*(?:deadline|end|stop|limit|until|timeout|expire|give_up|max|start)\w*)\b",
            condition or source,
            re.IGNORECASE,
        ):
            value = self.constants.get(name, "")
            found = re.search(
                r"\+\s*(.+)|\.(?:Add|plus\w*|add|AddSeconds|AddMilliseconds|checked_add)\((.*)\)", value, re.DOTALL
            )
            if found:
                return self._clock_duration(found[0], value)
        compared = re.search(r"(?:<|<=|>|>=)\s*([\w.:()*]*\d[\w.:()*]*)", condition)
        if compared and re.search(r"time|now|Now|elapsed|Elapsed|Since|SECONDS|-\s*start", condition):
            return self._clock_duration(compared[1], condition)
        count = re.search(
            r"(?:range\(|0\.\.=?\s*|<=?\s*|seq\s+(?:1\s+)?)(\d+)\s*(?:\)|;|\s*\{|:)|\b(\d+)\.times",
            source.split("\n")[0],
        )
        pause = next((p.timeout_s for p in pauses if p.timeout_s), None)
        if count and pause:
            return int(count[1] or count[2]) * pause
        return None

    def _clock_duration(self, added: str, value: str) -> float | None:
        unit = 1.0
        if re.search(
            r"Date\.now|currentTimeMillis|performance\.now|getTime|TickCount|uptimeMillis|AddMilliseconds", value
        ):
            unit = 1e-3
        elif "nanoTime" in value:
            unit = 1e-9
        name = re.match(r"\+\s*([A-Za-z_]\w*)\s*$", added.strip())
        if name:
            return duration_s(self.constants.get(name[1], ""), unit)
        return duration_s(added, unit)


def _names(variable: str, condition: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(variable)}(?!\w)", condition) is not None


def _looks(call: Call) -> bool:
    return idioms.looks(call.name)
