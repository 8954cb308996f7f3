"""Passes that are cut out of a document's text are the same rows as those that are read as XML."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakehunter.db.rows import IssueRow
from flakehunter.ingest.artifact import ArtifactReader, Refused
from flakehunter.ingest.junit.passes import MARK, cut_document
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.limits import DEFAULT_LIMITS
from flakehunter.ingest.sources import Kind
from tests.ingest.test_junit import in_order

HEAD = '<?xml version="1.0" encoding="utf-8"?><testsuite name="s">'
KNOWN = [f'<testcase classname="c" name="t{number}" time="0.{number}" />' for number in range(4)]
FRAGMENTS = [
    *KNOWN,
    '<testcase classname="c" name="t1" time="0.7"></testcase>\n',
    '<testcase classname="c" name="t2" time="0.8"><failure message="m">text</failure></testcase>',
    '<testcase classname="c" name="t3" time="-0.8"/>',
    '<testcase classname="c" name="t3" time="1e999"/>',
    '<testcase classname="c" name="t3" time="1,000.5"/>',
    '<testcase classname="c" name="t0 (rerun)" time="0.5"/>',
    '<testcase classname="c &lt;é&gt;" name="a&#10;b" time="0.5"/>',
    '<testcase name="t4" classname="c" time="0.5" status="failed"/>',
    '<testcase name="t5" status="skipped" classname="c" time="0.5"/>',
    '<testcase name="t6" file="f.py" line="3" classname="c" time="0.5"/>',
    '<testcase name="t7"/><other a="b" time="0.5"/>',
    "<testcase name='t8' time='0.5'/>",
    '<testsuite name="in" time="0.5">',
    "</testsuite>",
    "<system-out><![CDATA[",
    "]]></system-out>",
    "<!--",
    "-->",
    "<?pi ",
    "?>",
    '<properties><property name="p" value="v"/></properties>',
    f'<{MARK} n="0"/>',
    f'<{MARK} n="7"/>',
    "text > and \u00e9",
    "\x01",
    '<testcase name="',
    '" time="0.1" />',
    '<testcase classname="c" name="is it? no! <" time="0.1"/>',
    '<testcase classname="c" name="is it? no!" time="0.1"/>',
    f'<testcase classname="c" name="{MARK}" time="0.1"/>',
    f"<!-- {MARK} -->",
    f"<!-- {''.join(KNOWN)} -->",
    f"<?pi {''.join(KNOWN)} ?>",
    f"<system-out><![CDATA[{''.join(KNOWN)}]]></system-out>",
    f"<system-out>{''.join(KNOWN)}</system-out>",
    f'{KNOWN[1]}<testcase name="t5" status="skipped" classname="c" time="0.5"/>{KNOWN[2]}{KNOWN[3]}',
]


def told(data: bytes, memory: Memory | None) -> object:
    """Return all that is read of a document; without a memory it is read as a whole."""
    reader = ArtifactReader(Kind.JUNIT, io.BytesIO(data), DEFAULT_LIMITS, memory=memory)
    try:
        batches = [in_order(batch) for batch in reader.batches()]
    except Refused as refused:
        return IssueRow(refused.position, str(refused), True)
    return batches, reader.format, reader.started_at, reader.issues


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8), st.sampled_from(["</testsuite>", ""]))
def test_any_document_is_read_alike_in_both_ways(fragments: list[str], end: str) -> None:
    memory = Memory()
    # The first case is always read as XML, and two in a row are cut out.
    well_formed = [fragment for fragment in FRAGMENTS[:13] if fragment.endswith("/>")]
    told(f"{HEAD}{KNOWN[0]}{''.join(well_formed)}{KNOWN[0]}</testsuite>".encode(), memory)
    data = f"{HEAD}{KNOWN[0]}{''.join(fragments)}{end}".encode()
    whole = told(data, None)
    assert told(data, memory) == told(data, memory) == whole


def document(cases: str) -> bytes:
    """Return a suite with these cases."""
    return f"{HEAD}{cases}</testsuite>".encode()


def test_known_passes_are_columns_without_an_element_each() -> None:
    memory, data = Memory(), document("\n".join(KNOWN))
    told(data, memory)
    cut = cut_document(data, memory.times)
    assert cut is not None
    assert [passes.durations for passes in cut.passes] == [[0.1, 0.2]]  # the last one is followed by something else
    assert b"t1" not in cut.rest
    (batch,) = ArtifactReader(Kind.JUNIT, io.BytesIO(data), DEFAULT_LIMITS, memory=memory).batches()
    assert sorted(batch.durations) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    "data",
    [
        document(f"<system-out><![CDATA[{''.join(KNOWN)}]]></system-out>"),
        document(f"<!-- {''.join(KNOWN)} -->"),
        document(f"<?pi {''.join(KNOWN)} ?>"),
        document(f'{"".join(KNOWN)}<{MARK} n="0"/>'),
        document("".join(KNOWN)).replace(b"utf-8", b"latin-1"),
        document("".join(KNOWN)).replace(b"t1", b"\xff"),
        b"<!DOCTYPE a>" + document("".join(KNOWN)),
    ],
    ids=["CDATA", "comment", "instruction", "mark", "other encoding", "no UTF-8", "document type"],
)
def test_what_may_be_something_else_is_not_cut(data: bytes) -> None:
    assert cut_document(data, {}) is None


def test_a_text_that_is_new_in_each_file_does_not_fill_the_memory() -> None:
    memory = Memory(limit=10)
    for number in range(30):
        cases = [f'<testcase id="{number}.{case}" classname="c" name="t{case}" time="0.1"/>' for case in range(4)]
        told(document("".join(cases)), memory)
    (rows,) = memory._suites.values()
    assert len(rows.heads) <= 24


@pytest.mark.parametrize(
    "cases",
    [
        '<testcase name="t5" status="skipped" classname="c" time="0.5"/>' + "".join(KNOWN[1:]),
        '<testcase name="t7"/><other a="b" time="0.5"/>' * 2 + "".join(KNOWN[1:]),
        "".join(KNOWN[1:]) * 3,
        f"<testsuite name='in'>{''.join(KNOWN)}</testsuite>{''.join(KNOWN)}",
    ],
    ids=["status", "another element", "tests that come again", "a suite inside"],
)
def test_documents_read_three_times_say_the_same(cases: str) -> None:
    memory, data = Memory(), document(f"{KNOWN[0]}{cases}")
    whole = told(data, None)
    assert [told(data, memory) for _ in range(3)] == [whole] * 3
