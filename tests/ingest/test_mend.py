"""Files that are nearly JUnit are read as far as they can be, and marked; `--strict` refuses them."""

import io

import pytest

from flakehunter.ingest.artifact import ArtifactReader, Refused
from flakehunter.ingest.limits import DEFAULT_LIMITS
from flakehunter.ingest.sources import Kind

GOOD = '<testsuite name="s"><testcase classname="C" name="%s" time="0.1"/></testsuite>'


def read(data: bytes, *, repair: bool = True) -> tuple[list[str], list[str]]:
    reader = ArtifactReader(Kind.JUNIT, io.BytesIO(data), DEFAULT_LIMITS, repair=repair)
    names = [batch.tests[row[0]].name for batch in reader.batches() for row in batch.results]
    assert not any(issue.rejected for issue in reader.issues)
    return names, [issue.reason for issue in reader.issues]


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "rot13", "idna", "undefined", "utf-7", "shift_jis"])
def test_an_encoding_that_no_parser_knows_is_mended(encoding: str) -> None:
    names, issues = read(f'<?xml version="1.0" encoding="{encoding}"?>{GOOD % "a"}'.encode())
    assert names == ["a"]
    assert "encoding that cannot be read" in issues[0]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ((GOOD % "a\x1b[31mb").encode(), ["a\ufffd[31mb"]),
        ((GOOD % "a&#x1B;b&#0;c").encode(), ["a\ufffdb\ufffdc"]),
        (b'<?xml version="1.0" encoding="UTF-8"?>' + (GOOD % "M\u00fcller").encode("latin-1"), ["M\u00fcller"]),
        (b'<?xml version="1.0" encoding="utf-16"?>' + (GOOD % "M\u00fcller").encode(), ["M\u00fcller"]),
        ((GOOD % "one" + "\n" + GOOD % "two").encode(), ["one"]),
        (("<?xml version='1.0'?>" + GOOD % "one" + "<?xml version='1.0'?>" + GOOD % "two").encode(), ["one", "two"]),
        ((GOOD % "a\x01")[:-5].encode(), ["a\ufffd"]),
    ],
    ids=["escape", "references", "latin-1", "utf-16-lie", "two-roots", "two-documents", "cut-too"],
)
def test_what_is_nearly_xml_is_read_and_marked(data: bytes, names: list[str]) -> None:
    found, issues = read(data)
    assert found == names
    assert len(issues) == 1
    with pytest.raises(Refused):
        read(data, repair=False)


def test_a_forbidden_character_far_into_a_long_file_is_mended() -> None:
    cases = "".join(f'<testcase classname="C" name="t{number}" time="0.1"/>' for number in range(30_000))
    names, issues = read(f'<testsuite>{cases}<testcase name="\x02"/></testsuite>'.encode())
    assert len(names) in (30_000, 30_001)
    assert len(issues) == 1


def test_what_holds_no_test_case_stays_refused() -> None:
    with pytest.raises(Refused):
        read(b"\x01\x02 nothing")
