"""What the source around a look demands: that the process is dead, that it lives, or nothing yet.

The demand is read from the text of the asserting expression, with the look written as `@`: the assertion words of
test frameworks are far fewer than their syntax trees.
"""

import re
from dataclasses import replace
from functools import lru_cache

from flakehunter.scan import idioms
from flakehunter.scan.events import Alive, Call, Event, Expect, Flow, Kind, Step

ASSERTING = re.compile(
    r"(?:^|[.:!_])(?:assert\w*|[eE]xpect\w*|require\w*|should\w*|must\w*|refute\w*|ASSERT\w*|EXPECT\w*|REQUIRE\w*|CHECK\w*|Assert\w*|"
    r"verify\w*|check|ok|is|isnt|cmp_ok|that|fail_(?:if|unless)\w*|ck_assert\w*|TEST_ASSERT\w*|g_assert\w*|BOOST_\w+|Equal\w*|"
    r"True|False|NotNil|Nil|Eventually|ensure!?|panic_?|strictEqual|deepEqual|equal|truthy|falsy|t\.(?:true|false)|throws|notThrows|rejects|"
    r"doesNotThrow|Should\w*|mu_assert|cr_assert\w*|check_\w+|VERIFY\w*|QVERIFY\w*|QCOMPARE)\b(?:\(\))?(?:$|\.|\()"
)
THROWING = re.compile(
    r"toThrow|assertThrows|assertFailsWith|assertRaises|raises\b|rejects|ESRCH|NoSuchProcess|ProcessLookupError|raise_error|assert_raises?\b|"
    r"expectException|is_err\b|Throws|shouldThrow|No such process|throws\b|assertThatThrownBy|assert_fails|THROW|catch_unwind|unwrap_err|"  # noqa: E501
    r"ErrProcessDone|\.Error\(|ErrorIs\(|ErrorContains\("
)
NOT_THROWING = re.compile(
    r"not\.toThrow|not_to\s+raise|to_not\s+raise|nothing_raised|doesNotThrow|DoesNotThrow|NotThrow|notThrows|is_ok\b|shouldNotThrow|NoError|"
    r"NO_THROW|NOTHROW|assertDoesNotThrow|assertNothingRaised|resolves|(?:NotTo|ToNot|ShouldNot)\(HaveOccurred|(?:To|Should)\(Succeed\("
)
_GONE = re.compile(r"\bE?SRCH\b|ErrProcessDone|(?:Is|Err)NotExist|NoSuchProcess|ENOENT|NotFound")
"""Error values that say the process, or its entry in /proc, is not there."""
_NEGATED = re.compile(
    r"(?:!=\s*[\w.:]*|!\s*[\w.]*(?:\([^()]*)?|\bnot\s+[\w.]*(?:\([^()]*)?|(?:NE\w*|[nN]ot\w*|ne!)\([^()]*)$"
)
FAILS = re.compile(
    r"\b_{0,2}(?:raise|throw|[fF]ail\w*|FAIL\w*|ERROR|[fF]atal\w*|panic\w*|flunk|reject|Error|Errorf|unreachable\w*|bail\w*|die|(?:err|errx|perror)(?=\s*\()|"
    r"TestFail\w*|skip_rest|not ok|abort)\b(?!\s*=)|assert(?:\s+False|\s*\(?false|\(0\)|True\(False|_\s*\(false)|\b_?exit\s*\(?\s*[1-9]|\breturn\s+(?:1|-1|2)\b|"  # noqa: E501
    r"\bstatus\s*=\s*1|\bfailures?\s*(?:\+=|\+\+|=)|\+\+\w*fail|\brc=1|\bret(?:val|code)?\s*=\s*(?:1|-1)|assert\.fail|t\.Err|"
    r"\bexit\(\s*(?:f|r)?[\"'`]|\bexitCode\s*=\s*[1-9]|\bexit\(\s*(?:EXIT_FAILURE|message|msg|error)"
)

_FALSY = re.compile(
    r"\bnot\s+[\w.(:\[]*@|!\s*[\w.(:\[]*@|False\w*\s*\(|assert_false|assertNot|refute(?:_predicate)?\b|assert_not|_FALSE\b|IsFalse|isFalse|toBe\(false\)|toBeFalsy|"
    r"toEqual\(false\)|toStrictEqual\(false\)|(?:==|===|is|be|eq|eql|shouldBe|equal)[\s(]+(?:False|false|FALSE)\b|BeFalse|be_falsey?|falsy|"
    r"to_not\s|not_to\s|should_not|\.not\.|notOk|not_ok|(?:[,(]\s*)(?:false|False)\s*[,)]|NotTrue|ShouldBeFalse|is_not_running|to\.be\.false|@\s*===?\s*\[\]|len\(@\)\s*==\s*0|toEqual\(\[\]\)|toHaveLength\(0\)|is_empty|isEmpty|NotRunning\b|assertEqual\(@, \[\]\)|Is\.(?:False|Empty|Not\.True)\b|\bt\.false\(|assert\.not\(|(?:be|Be|[aA]ssert\.|require\.|Is|is|assert)_?[eE]mpty\b|HaveCount\(0\)|HaveLen\(0\)|hasSize\(0\)|[cC]ount\(0,"  # noqa: E501
)
_NULLISH = re.compile(
    r"(?:==|===|is)\s*(?:null|nil|None|undefined|NULL|nullopt)\b|toBeNull|toBeUndefined|assertIsNone|assertNull|assert_nil|assert_none|is_none\b|"
    r"\bNil\(|IsNull|be_nil|[,(]\s*(?:None|null|nil|Ok\(None\))\s*[,)]|toBe\(null\)|isNull|toEqual\(null\)"
)
_NOT_NULLISH = re.compile(
    r"[nN]ot_?\w*[eE]qual\w*\([^()]*@[^()]*\)|[nN]ot_?\w*[eE]qual\w*\((?:None|null|nil|undefined),|"
    r"(?:!=|!==|is\s+not)\s*(?:null|nil|None|undefined|NULL)\b|not\.(?:toBeNull|toBe\(null|toBeUndefined)|IsNotNone|NotNull|refute_nil|not_to\s+be_nil|NotNil|"
    r"is_some|assert_not_nil|notToBeNull|isNotNull|(?:==|===|!=|<|>)\s*-?\w"
)


_DENIED = re.compile(r"(?:[fF]alse|refute)\w*\s*\(\s*@\s*(?:is|===?)\s*\w+\s*[,)]")
"""An assertion that a comparison does not hold: `assertFalse(@ is None)`."""


_NOT_EMPTY = re.compile(
    r"(?:!|\bnot )\s*[\w.(:]*@[\w.()]*\.(?:is_?[eE]mpty|empty\?)|refute_empty|not_to be_empty|"
    r"[nN]ot_?(?:[tT]o)?[._( ]{0,2}(?:[bB]e|[iI]s)?_?[eE]mpty"
)


@lru_cache(maxsize=50_000)
def asserts(dotted: str) -> bool:
    """Whether a call with this path asserts something."""
    return ASSERTING.search(dotted) is not None


_LOGGED = re.compile(
    r"\b(?:log|logger|logging|LOG|LOGGER|_?log(?:ger)?|slog|tracing|Log|Rails\.logger|warnings|console)(?:\.|->|::)(?!fatal|Fatal|panic|Panic)\w+!?\s*"
    r"\((?:[^()\"']|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\([^()]*\))*\)|\b(?:warn|info|debug|trace|error)!\([^()]*\)"
)


_COMMENT = re.compile(r"(?:^|(?<=\s))(?://|#\s)[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)


def fails(source: str, *, printed: bool = True) -> bool:
    """Whether the code of a branch or handler makes the test fail; what it only logs does not.

    What it prints counts, as scripts fail in words; without `printed` it does not.
    """
    if not FAILS.search(source):
        return False
    source = _LOGGED.sub(" ", _COMMENT.sub(" ", source))
    return bool(FAILS.search(source if printed else _PRINTED.sub(" ", source)))


_PRINTED = re.compile(
    r"\b(?:print|puts|echo|e?println!?|printf|fprintf|fmt\.Fprint\w*|fmt\.Print\w*|Console\.(?:Error\.)?WriteLine|System\.\w+\.print\w*)\s*"
    r"\((?:[^()\"']|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\([^()]*\))*\)"
)


def wants(around: str, alive: Alive) -> Expect:
    """Return what an assertion demands of the look written `@` in `around`; DEAD where that cannot be told.

    `around` is an assertion that has to hold. A look whose meaning is unclear counts as one for death: that is what
    nearly all looks after a signal are for.
    """
    if NOT_THROWING.search(around):
        return Expect.ALIVE
    if re.search(
        r"@\s*(?:==|===)\s*b?(?:\"\"|'')|\bnot in @|[nN]ot_?In\(|[nN]ot_?[cC]ontain|(?:EQ\w*|[eE]quals?)\(\s*(?:\"\"\s*,\s*@|@\s*,\s*b?\"\")|not_to include|be_empty|toBe\((?:\"\"|'')\)",  # noqa: E501
        around,
    ):
        return Expect.DEAD
    if named := _GONE.search(around):
        return Expect.ALIVE if _NEGATED.search(around[: named.start()]) else Expect.DEAD
    if THROWING.search(around):
        return Expect.DEAD
    if alive is Alive.NO_ERROR:
        if re.search(r"@\s*(?:\)|;)?\s*(?:!=|!==)\s*(?:nil|null)|NotNil|assertNotNil|@\.is_err|refute|Err\(", around):
            return Expect.DEAD
        if re.search(r"\b(?:nil|null)\s*!=\s*@|@\s*==\s*(?:nil|null|0\b)|\bNil\(|\.unwrap\(\)|\.expect\(|Ok\(", around):
            return Expect.ALIVE
        return Expect.DEAD
    if alive is Alive.NULL:
        negated = bool(re.search(r"(?:\bnot\s+|!\s*)\(?@", around)) or bool(_FALSY.search(around))
        if _NULLISH.search(around) and not _NOT_NULLISH.search(around):
            return Expect.DEAD if _DENIED.search(around) else Expect.ALIVE
        return Expect.ALIVE if negated and not _NOT_NULLISH.search(around) else Expect.DEAD
    if alive is Alive.ZERO:
        return _zero(around)
    if alive is Alive.PID:
        still = r"@(?:\[0\]|\.0)?\s*(?:===?\s*\(?0\b|<=\s*0|!==?\s*[A-Za-z_(])|!\s*\(?@|\bnot @|[(\s]\(?0\b[^@]*@|@[^@]*[,(]\s*\(?0\s*[,)]|StillAlive"  # noqa: E501
        return (
            Expect.ALIVE
            if re.search(still, around) and not re.search(r"NE\(|[nN]ot\w*[eE]qual|!=\s*0", around)
            else Expect.DEAD
        )
    falsy = bool(_FALSY.search(around)) and not _NOT_EMPTY.search(around)
    if re.search(r"(?:!=|!==|is not|NE\w*\()\s*(?:true|True|TRUE)\b", around):
        falsy = True
    if re.search(
        r"(?:!=|!==|is not)\s*(?:false|False|FALSE)\b|not[_ ]?(?:\.|to\w*\s+)?(?:be_?)?(?:false|falsey)", around
    ):
        falsy = False
    return Expect.DEAD if falsy == (alive is Alive.TRUE) else Expect.ALIVE


_SAYS_SOMETHING = re.compile(
    r"NotEmpty|not_empty|NotNull|not_nil|assertIn\b|Contains\b|toContain\b|\binclude\b|\bin @|not\.toBe\((?:\"\"|'')\)|"
    r"@\s*!==?\s*(?:\"\"|'')|toBeTruthy"
)
"""A command that looks for a process prints something when it lives."""


_SUCCEEDS = re.compile(r"(!\s*[\w.(]*)?@[\w.()?]*\.success\(\)")


def _zero(around: str) -> Expect:
    if succeeds := _SUCCEEDS.search(around):
        return Expect.DEAD if succeeds[1] else Expect.ALIVE
    if _SAYS_SOMETHING.search(around) or re.search(r"@\s*==\s*nil", around):
        return Expect.ALIVE
    if re.search(
        r"@\s*(?:!=|<|-ne)\s*0|@\s*==\s*-1|@,\s*(?:!=|<)\s*,\s*0|@,\s*==\s*,\s*-1|(?:NE|ne|not_equal|NotEqual\w*)\w*\s*\(\s*(?:@\s*,\s*0|0\s*,)|"
        r"(?:EQ|eq|Eq)\w*\s*\(\s*(?:@\s*,\s*-1|-1\s*,)|(?:LT|lt)\w*\s*\(",
        around,
    ):
        return Expect.DEAD
    if re.search(
        r"@\s*(?:==|>=|-eq)\s*0|@,\s*(?:==|>=)\s*,\s*0|(?<![nN]ot)(?<![nN]ot_)(?:EQ|eq|Eq)\w*\s*\(\s*(?:@\s*,\s*0|0\s*,)|[!]\s*\(?\s*@|_zero|(?:NE|ne)\w*\s*\(\s*@\s*,\s*-1|@\s*!=\s*-1",
        around,
    ):
        return Expect.ALIVE
    return Expect.DEAD


def opposite(expect: Expect) -> Expect:
    """Return ALIVE for DEAD and the other way round."""
    return {Expect.DEAD: Expect.ALIVE, Expect.ALIVE: Expect.DEAD}.get(expect, expect)


_SPACES = re.compile(r"\s+")
_FAILS_BY_ITSELF = re.compile(
    r"(?:^|\.)(?:Eventually\w*|poll|waitFor|waitUntil|until|untilAsserted|untilTrue|untilFalse|eventually|assert_?[eE]ventually)(?:\(\))?$"
)
"""Polls that fail the test when their time is up."""
_ANSWERS_ERROR = re.compile(
    r"return\s+[^;\n]*(?:!=\s*nil|==\s*(?:syscall|unix)\.ESRCH|errors\.Is\([^\n]*(?:ESRCH|ErrProcessDone)\))\s*(?:;|$|})",
    re.MULTILINE,
)
"""A closure that answers with the error of a look."""


def of_poll(flow: Flow, path: str, source: str) -> Flow:
    """Return what a poll of the test framework asks, demanded where it fails by itself when the time is up."""
    asked = [step for step in flow if isinstance(step, Event | Call) and _asks(step)]
    last = path.rpartition(".")[2]
    if last in ("Eventually", "Eventuallyf") and _ANSWERS_ERROR.search(source):
        return tuple(_demanded(step, Expect.DEAD) if step in asked else step for step in flow)
    if len(asked) != 1 or not _FAILS_BY_ITSELF.search(path) or asked[0].text not in source:
        return flow
    look = asked[0]
    alive = look.alive if isinstance(look, Event) else Alive.TRUE
    if alive not in (Alive.TRUE, Alive.FALSE):
        return flow  # an error that is thrown, or a status, is read in too many ways
    demand = wants(_SPACES.sub(" ", source.replace(look.text, "@", 1)), alive)
    if look.text.endswith(("isEmpty()", ".empty?")):
        demand = opposite(demand)
    return tuple(_demanded(step, demand) if step is look else step for step in flow)


def _asks(step: Event | Call) -> bool:
    if isinstance(step, Event):
        return step.kind is Kind.LOOK and step.expect is Expect.VALUE
    return step.expect is Expect.VALUE and idioms.looks(step.name)


def _demanded(step: Step, expect: Expect) -> Step:
    return replace(step, expect=expect) if isinstance(step, Event | Call) else step


_SENT_IN_VAIN = re.compile(
    r"\b(?:err|error|e|rc|ret|status|\w*exit_?[cC]ode)\b(?:\s*!=\s*(?:nil|null|0))?\s*(?:&&|\band\b)"
)
"""The signal itself failed: only then is the process looked for."""


def of_branch(condition: str, alive: Alive, then: str, otherwise: str) -> Expect:
    """Return what an `if` over a look demands: DEAD when the branch for a live process fails."""
    if (fails(then) and fails(otherwise)) or _SENT_IN_VAIN.search(condition) or "ombie" in then + otherwise:
        return Expect.NEUTRAL
    holds = wants(condition, alive) if alive is not Alive.NULL else _null_condition(condition)
    if fails(then):
        return opposite(holds)
    if fails(otherwise):
        return holds
    return Expect.NEUTRAL


def _null_condition(condition: str) -> Expect:
    if (
        re.search(r"(?:is\s+not|!=|!==)\s*(?:None|null|nil|undefined)", condition)
        or "is_some" in condition
        or "Some(" in condition
    ):
        return Expect.DEAD
    if re.search(r"(?:is|==|===)\s*(?:None|null|nil|undefined)", condition) or "is_none" in condition:
        return Expect.ALIVE
    return Expect.ALIVE if re.search(r"(?:\bnot\s+|!\s*)\(?\s*@", condition) else Expect.DEAD
