"""Lower loops: does one poll, and for how long at most?"""

import re

from tree_sitter import Node

from flakehunter.scan import expectation, idioms
from flakehunter.scan.context import branches
from flakehunter.scan.events import (
    Alive,
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
from flakehunter.scan.kinds import IFS
from flakehunter.scan.statements import _LEAVES, Statements
from flakehunter.scan.syntax import (
    child,
    names_in,
    text,
)
from flakehunter.scan.walking import _line

_ASKS = re.compile(r"\w\s*\(|\bnot\b|!")
_ERROR = re.compile(r"\berr\b")
_RETURNS = re.compile(r"\breturn\b")
_COUNTED = re.compile(
    r"(?:if|elsif|unless)\s*\(?\s*[$\w]*(?:tr(?:y|ies)|attempts?|count\w*|retries|iterations?|\bn|\bi)\s*(?:>=?|===?)\s*(\d+)\b"
)
"""A loop that counts its rounds itself."""
_CLOCK = re.compile(r"time|now|Now|elapsed|Elapsed|Since|SECONDS")
"""A loop until some hour waits for nothing else."""


_NAMES_GIVEN = re.compile(r"\(\s*&?(?:\w+(?:\.|::))*(\w+)\s*\)")


class Loops(Statements):
    """Lowers loops."""

    limit: tuple[str, float] = ("", 1.0)
    """The variable that holds the deadline of the loop lowered last, and what a bare number of it counts in."""

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
        self.limit = ("", 1.0)
        polls, deadline_s, names = self._polling(node, checked, tuple(body), condition)
        if polls:
            # What it found is carried out in a variable, and asserted there.
            self.look_names.update(
                t for s in walk(tuple(body)) if isinstance(s, Store) and s.says is not None for t in s.targets
            )
        demanded = polls and _else_fails(node)
        until_alive = polls and _until_alive(node, body)
        out.append(Loop(_line(node), flow, polls, deadline_s, names, demanded, until_alive, *self.limit))

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
        asserted = any(look.expect is Expect.DEAD and (isinstance(look, Call) or bool(look.names)) for look in looks)
        # `pids.some(isAlive)`: the look is given to whoever asks it of each
        in_condition = in_condition or any(map(idioms.looks, _NAMES_GIVEN.findall(condition_text)))
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
            f"{condition} {source}",
            re.IGNORECASE,
        ):
            value = self.constants.get(name, "")
            found = re.search(
                r"\+\s*(.+)|\.(?:Add|plus\w*|add|AddSeconds|AddMilliseconds|checked_add)\((.*)\)", value, re.DOTALL
            )
            if found:
                return self._clock_duration(found[0], value)
        compared = re.search(r"(?:<|<=|>|>=)\s*([\w.:()*]*\d[\w.:()*]*)", condition)
        named = re.search(r"[eE]lapsed\w*(?:\(\))?\s*<=?\s*([a-z_]\w*)\s*\)?$", condition)
        if named:
            return self._clock_duration(f"+ {named[1]}", condition)
        if compared and re.search(r"time|now|Now|elapsed|Elapsed|Since|SECONDS|-\s*start", condition):
            return self._clock_duration(compared[1], condition)
        count = re.search(
            r"(?:range\(|0\.\.=?\s*|<=?\s*|seq\s+(?:1\s+)?)(\d+)\s*(?:\)|;|\s*\{|:|&&|and\b)|\b(\d+)\.times",
            self._numbered(source.split("\n")[0]),
        )
        pause = next((p.timeout_s for p in pauses if p.timeout_s), None)
        if count and pause:
            return int(count[1] or count[2]) * pause
        counted = _COUNTED.search(source)
        return int(counted[1]) * pause if counted and pause and int(counted[1]) > 1 else None

    def _clock_duration(self, added: str, value: str) -> float | None:
        unit = 1.0
        if re.search(
            r"Date\.now|currentTimeMillis|performance\.now|getTime|TickCount|uptimeMillis|AddMilliseconds", value
        ):
            unit = 1e-3
        elif "nanoTime" in value:
            unit = 1e-9
        name = re.search(r"[+(]\s*([A-Za-z_$]\w*)\s*\)*$", added.strip())
        if name is None:
            return self._duration_s(added, unit)
        limit_s = self._duration_s(self.constants.get(name[1], name[1]), unit)
        if limit_s is None:
            self.limit = (name[1].lstrip("$"), unit)
        return limit_s


def _else_fails(node: Node) -> bool:
    """Whether the test fails where the loop ends by itself: its `else`, or what follows a loop that returns."""
    otherwise = child(node, "alternative")
    if otherwise is not None:
        return expectation.fails(text(otherwise))
    after = node.next_named_sibling
    if after is None or _RETURNS.search(text(node)) is None or after.type in IFS:
        return False
    return after.end_byte - after.start_byte < 300 and expectation.fails(text(after))


def _until_alive(node: Node, body: list[Step]) -> bool:
    """Whether a branch leaves the loop because the process was found to live."""
    looks = [
        s
        for s in walk(tuple(body))
        if (isinstance(s, Event) and s.kind is Kind.LOOK) or (isinstance(s, Call) and _looks(s))
    ]
    pending = list(node.named_children) if looks else []
    while pending:
        part = pending.pop()
        pending.extend(part.named_children)
        condition = child(part, "condition") if part.type in IFS else None
        if condition is None or _LEAVES.search(branches(part)[0]) is None:
            continue
        source = text(condition)
        for look in looks:
            alive = look.alive if isinstance(look, Event) else Alive.TRUE
            before = child(part, "initializer")
            asked = ""
            if look.text and before is not None and look.text in text(before):
                asked = _ERROR.sub("@", source)  # `if err := kill(pid, 0); err == nil`
            elif look.text and look.text in source:
                asked = source.replace(look.text, "@", 1)
            if asked:
                holds = expectation.wants(asked, alive)
                if holds is Expect.ALIVE and not part.type.startswith("unless"):
                    return True
    return False


def _names(variable: str, condition: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(variable)}(?!\w)", condition) is not None


def _looks(call: Call) -> bool:
    return idioms.looks(call.name)
