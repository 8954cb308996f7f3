"""Evidence of a run of several tests goes to each of them, as far as the database knows them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample import V1S, world_of
from sqlalchemy import insert, select

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Experiment, Finding, TestCase
from flakehunter.db.write import ensure_project
from flakehunter.model import TestIdentity
from flakehunter.trace.document import as_json
from flakehunter.trace.rules import find_all
from flakehunter.trace.session import TraceResult
from flakehunter.trace.store import store

PYTEST = TestIdentity("default", "pytest", "tests.test_a", "test_ends")
VITEST = TestIdentity("default", "vitest", "test/a.test.ts", "group > ends")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("tests%2Ftest_a.py%3A%3Atest_ends", PYTEST),
        ("test%2Fa.test.ts%20%3E%20group%20%3E%20ends", VITEST),
        ("test%2Fb.test.ts%20%3E%20group%20%3E%20ends", None),
        ("tests%2Ftest_a.py%3A%3Atest_other", None),
    ],
    ids=["pytest", "vitest", "another file", "unknown"],
)
def test_finding_goes_to_the_test_that_the_runner_named(tmp_path: Path, name: str, known: TestIdentity | None) -> None:
    mark = f'1698  1795323073.299000 access("/.flakehunter/test/id={name}/-", F_OK) = -1 ENOENT (No) <0.00001>\n'
    world = world_of(V1S.replace("1698  1795323073.300000", mark + "1698  1795323073.300000"))
    result = TraceResult(("x",), 0, False, False, world, tuple(find_all(world)), 0.1, None, 1, 0)
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}", create=True)
    with engine.begin() as connection:
        project = ensure_project(connection, "default")
        for one in (PYTEST, VITEST):
            names = {"suite": one.suite, "classname": one.classname, "name": one.name, "framework": one.suite}
            connection.execute(insert(TestCase).values(project_id=project, key=one.key, file="", **names))
    started = datetime(2026, 11, 1, tzinfo=UTC)
    store(engine, result, as_json(result), project="default", test_id=None, root=tmp_path, started=started)
    with engine.connect() as connection:
        wanted = None if known is None else connection.scalar(select(TestCase.id).where(TestCase.key == known.key))
        assert connection.scalars(select(Finding.test_case_id)).all() == [wanted]
        assert connection.scalars(select(Experiment.test_case_id)).all() == [wanted], "one test alone: all is about it"
    engine.dispose()
