"""Finding a test by what a user types."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.tests import find_test
from flakehunter.db.schema import Project, TestCase
from flakehunter.errors import UnknownTestError
from flakehunter.model import TestIdentity
from tests.databases import url_at

STOPS = TestIdentity("default", "pytest", "tests.test_stop.TestStop", "test_child_is_gone")
CASE = TestIdentity("default", "pytest", "tests.test_stop", "test_signal[SIGTERM::1]")
NODE = TestIdentity("default", "test/group.test.ts", "test/group.test.ts", "group > kills the whole group")
OTHER = TestIdentity("second", "pytest", "tests.test_stop", "test_signal[SIGTERM::1]")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_database(url_at(tmp_path / "test.db"), create=True)
    with engine.begin() as writer:
        for number, name in enumerate(("default", "second"), start=1):
            writer.execute(insert(Project).values(id=number, name=name))
        for identity in (STOPS, CASE, NODE, OTHER):
            writer.execute(
                insert(TestCase).values(
                    project_id=1 if identity.project == "default" else 2,
                    key=identity.key,
                    suite=identity.suite,
                    classname=identity.classname,
                    name=identity.name,
                )
            )
    with readonly(engine).connect() as reader:
        yield reader
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STOPS.label, STOPS),
        (STOPS.key.hex(), STOPS),
        (STOPS.key.hex()[:8].upper(), STOPS),
        ("tests/test_stop.py::TestStop::test_child_is_gone", STOPS),
        ("project/tests/test_stop.py::TestStop::test_child_is_gone", STOPS),
        ("test_stop.py::test_signal[SIGTERM::1]", CASE),
        ("group > kills the whole group", NODE),
        ("KILLS the whole", NODE),
    ],
    ids=["id", "key", "short key", "node id", "node id from above", "node id from inside", "name", "part"],
)
def test_find_test_understands(connection: Connection, text: str, expected: TestIdentity) -> None:
    assert find_test(connection, text, project="default").identity == expected


def test_find_test_with_two_fits_names_both(connection: Connection) -> None:
    with pytest.raises(UnknownTestError, match="fits 2 tests") as caught:
        find_test(connection, "test_stop", project="default")
    assert set(caught.value.near) == {STOPS.label, CASE.label}


def test_find_test_in_two_projects_asks_for_one(connection: Connection) -> None:
    with pytest.raises(UnknownTestError, match="fits tests of 2 projects") as caught:
        find_test(connection, CASE.name)
    assert "--project" in str(caught.value.hint)
    assert find_test(connection, CASE.name, project="second").identity == OTHER


def test_find_test_misspelt_gives_near_names(connection: Connection) -> None:
    with pytest.raises(UnknownTestError) as caught:
        find_test(connection, "test_child_is_gnoe")
    assert caught.value.exit_code == 2
    assert caught.value.near == (STOPS.label,)
    assert STOPS.label in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "   ", "qqqq"])
def test_find_test_with_nothing_near_says_where_to_look(connection: Connection, text: str) -> None:
    with pytest.raises(UnknownTestError) as caught:
        find_test(connection, text)
    assert "detect --all" in str(caught.value.hint)
