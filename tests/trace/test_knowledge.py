"""Knowledge that is shared and taken over piece by piece is what copying all of it each time would give."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flakehunter.trace.knowledge import Fact, FactKind, Knowledge

FACTS: list[Fact] = [(FactKind.EXIT, number, "") for number in range(5)]
who = st.integers(0, 7)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), who, st.integers(0, 4)),
        st.tuples(st.just("learn"), who, who),
        st.tuples(st.just("born"), who, st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(steps)
@example([("born", 0, 0), ("born", 0, 0), ("tell", 0, 0), ("born", 1, 0), ("learn", 1, 0), ("learn", 2, 3)])
@example([("born", 0, 0), ("born", 1, 0), ("tell", 0, 0), ("learn", 1, 0), ("born", 2, 0)])
def test_knowledge_is_as_if_everything_was_copied(made: list[tuple[str, int, int]]) -> None:
    shared, copied = [Knowledge()], [dict[Fact, float]()]
    for time, (what, one, other) in enumerate(made, 1):
        one, other = one % len(shared), other % len(shared)
        if what == "tell":
            shared[one].tell(FACTS[other % 5], time)
            copied[one].setdefault(FACTS[other % 5], time)
        elif what == "learn":
            shared[one].learn(shared[other], time)
            copied[one] = dict.fromkeys(copied[other], float(time)) | copied[one]
        else:
            shared.append(Knowledge(shared[one], time))
            copied.append(dict(copied[one]))
    for quick, plain in zip(shared, copied, strict=True):
        assert {fact: quick.get(fact) for fact in FACTS if quick.get(fact) is not None} == plain


def test_what_was_learned_after_the_signal_is_not_passed_on_by_the_dead() -> None:
    child, parent = Knowledge(), Knowledge()
    child.tell(FACTS[0], 1.0)
    child.tell(FACTS[1], 3.0)
    parent.learn_until(child, 2.0, 4.0)
    assert (parent.get(FACTS[0]), parent.get(FACTS[1])) == (4.0, None)
