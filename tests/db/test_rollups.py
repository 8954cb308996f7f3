"""Rollups say what the rows say, whatever came, went or was replaced since they were made."""

import random
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from flakehunter.db.engine import open_database
from flakehunter.db.queries import packing, rolling, rollups, tally
from flakehunter.db.queries.history import History, read_history
from flakehunter.db.queries.rollups import read_packed, read_parts, update_rollups
from flakehunter.db.rows import RunRow, Written
from flakehunter.db.schema import Artifact, Result, Rollup, Run
from flakehunter.errors import DatabaseError
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.model import Outcome
from tests.databases import url_at
from tests.detect.builder import DatabaseBuilder

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "runs"
CODES = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.ERRORED: 1, Outcome.SKIPPED: 2}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """Return a connection to a database of forty runs of ten tests, not rolled up."""
    builder = DatabaseBuilder(tmp_path)
    draw = random.Random(1)
    for commit in range(20):
        for _ in range(2):
            run = builder.run(f"c{commit}")
            for test in range(10):
                builder.result(run, f"test_{test}", draw.choice(["P", "P", "P", "F", "S", "FP", "E"]))
    engine = open_database(builder.close())
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def rows(connection: Connection) -> Counter[tuple[int, int, int]]:
    """Return the results as their rows say them."""
    query = select(Result.test_case_id, Result.run_id, Result.outcome)
    return Counter((test, run, CODES[outcome]) for test, run, outcome in connection.execute(query))


def packed(connection: Connection) -> Counter[tuple[int, int, int]]:
    """Return the results as rollups and new rows say them."""
    found = read_packed(connection, "default")
    return Counter(zip(found.test.tolist(), found.run.tolist(), found.outcome.tolist(), strict=True))


def count(connection: Connection) -> int:
    """Return how many rollups there are."""
    return connection.scalar(select(func.count()).select_from(Rollup)) or 0


def add_artifact(connection: Connection, run_id: int, outcomes: list[Outcome]) -> None:
    """Add one more artifact to a run, with a result for each of the first tests."""
    number = (connection.scalar(select(func.max(Artifact.id))) or 0) + 1
    one = connection.execute(select(Artifact).limit(1)).mappings().one()
    connection.execute(
        insert(Artifact).values({**one, "id": number, "run_id": run_id, "sha256": number.to_bytes(32, "big")})
    )
    for test, outcome in enumerate(outcomes, start=1):
        values = {"test_case_id": test, "run_id": run_id, "artifact_id": number, "outcome": outcome, "attempt": 9}
        connection.execute(insert(Result).values(**values))


def same(one: History, other: History) -> bool:
    """Whether two histories say the same."""
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("cells", "totals"))
    return arrays and one.runs == other.runs and one.outage_failures == other.outage_failures


def test_history_is_the_same_with_and_without(connection: Connection) -> None:
    before = read_history(connection, "default")
    assert update_rollups(connection, "default") == sum(rows(connection).values())
    assert count(connection) == 1
    assert packed(connection) == rows(connection)
    assert same(before, read_history(connection, "default"))
    assert update_rollups(connection, "default") == 0


def test_history_does_not_depend_on_how_ids_are_looked_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_history(connection, "default")
    monkeypatch.setattr(tally, "DIRECT_IDS", 0)  # as with ids too large to be places in an array
    assert same(before, read_history(connection, "default"))


@pytest.mark.parametrize("seed", range(4))
def test_history_is_the_same_from_grids_and_from_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = random.Random(seed)
    builder = DatabaseBuilder(tmp_path)
    names = [f"test_{number}" for number in range(8)]
    for commit in range(30):
        if draw.random() < 0.2:  # a test comes or goes
            names = sorted({f"test_{number}" for number in range(12)} - set(draw.sample(names, 2)))
        for job in ("linux", "windows"):
            run = builder.run(f"c{commit}", job=job)
            out = draw.random() < 0.1
            for name in names if job == "linux" else names[::2]:
                builder.result(run, name, "F" if out else draw.choice(["P"] * 12 + ["F", "S", "FP", "E"]))
    engine = open_database(builder.close())
    read = {}
    monkeypatch.setattr(packing, "FEWEST_A_RUN", 1)
    with engine.connect() as connection:
        update_rollups(connection, "default")
        for worth in (1, 30, 10**9):
            monkeypatch.setattr(packing, "WORTH_A_GRID", worth)
            parts = read_parts(connection, "default")
            assert any(isinstance(part, packing.Grid) for part in parts) == (worth < 10**9)
            assert packed(connection) == rows(connection)
            for test in (None, 1, 5):
                read[worth, test] = read_history(connection, "default", test_id=test)
    engine.dispose()
    assert read[1, None].outages
    for test in (None, 1, 5):
        assert same(read[1, test], read[10**9, test])
        assert same(read[30, test], read[10**9, test])
        # Results of one run stand in another order; nothing depends on it.
        failures = [sorted(map(tuple, read[worth, test].failures.tolist())) for worth in (1, 30, 10**9)]
        assert failures[0] == failures[1] == failures[2]


def test_what_came_later_is_read_from_rows_and_then_rolled_up(connection: Connection) -> None:
    update_rollups(connection, "default")
    first_run = connection.scalar(select(func.min(Run.id))) or 0
    add_artifact(connection, first_run, [Outcome.FAILED, Outcome.PASSED])
    assert packed(connection) == rows(connection)
    assert update_rollups(connection, "default") == 2
    assert count(connection) == 2
    assert packed(connection) == rows(connection)


def test_rollup_of_whole_columns_is_still_read(connection: Connection) -> None:
    update_rollups(connection, "default")
    found = read_packed(connection, "default")
    columns = (found.test.astype("<i4"), found.run.astype("<i4"), found.outcome)
    data = zlib.compress(b"".join(column.tobytes() for column in columns))
    connection.execute(update(Rollup).values(data=data))
    assert packed(connection) == rows(connection)


def test_rollup_that_cannot_be_read_is_an_error(connection: Connection) -> None:
    update_rollups(connection, "default")
    connection.execute(update(Rollup).values(data=zlib.compress(b"what a later version wrote")))
    with pytest.raises(DatabaseError, match="cannot read"):
        read_packed(connection, "default")


def test_stale_rollup_is_left_out_and_made_anew(connection: Connection) -> None:
    update_rollups(connection, "default")
    first = connection.scalar(select(func.min(Artifact.id)))
    connection.execute(delete(Result).where(Result.artifact_id == first))
    connection.execute(delete(Artifact).where(Artifact.id == first))
    assert packed(connection) == rows(connection)
    assert update_rollups(connection, "default") == sum(rows(connection).values())
    assert packed(connection) == rows(connection)


def test_many_small_ones_are_made_one(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "MANY_SMALL", 3)
    run = connection.scalar(select(func.min(Run.id))) or 0
    for _ in range(4):
        update_rollups(connection, "default")
        add_artifact(connection, run, [Outcome.PASSED])
    update_rollups(connection, "default")
    assert count(connection) == 2
    assert packed(connection) == rows(connection)


def test_large_ones_are_split(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "ROWS_A_ROLLUP", 100)
    monkeypatch.setattr(rollups, "ROWS_AT_ONCE", 50)
    update_rollups(connection, "default")
    assert count(connection) > 4
    assert packed(connection) == rows(connection)


def test_ingest_rolls_up_and_a_late_junit_file_replaces_the_log(tmp_path: Path) -> None:
    run = min(SAMPLE.glob("*/*/linux-pytest"))  # the same one on each machine
    url = url_at(tmp_path / "late.db")
    for name in ("console.log", "junit.xml"):
        naming = RunNaming(given=RunRow(external_id="1", commit="c1", job="linux-pytest"))
        ingest([run / name], url, IngestOptions(naming=naming))
        engine = open_database(url)
        with engine.connect() as connection:
            assert count(connection) >= 1
            assert packed(connection) == rows(connection) != Counter()
        engine.dispose()


def test_project_without_results_has_none(connection: Connection) -> None:
    assert update_rollups(connection, "other") == 0
    assert len(read_packed(connection, "other").test) == 0


def written_of(connection: Connection, artifacts: list[int]) -> Written:
    """Return what a writer that wrote these artifacts has noted."""
    found = Written()
    for artifact in artifacts:
        found.begin(artifact)
        query = select(Result.run_id, Result.test_case_id, Result.outcome).where(Result.artifact_id == artifact)
        for run, test, outcome in connection.execute(query):
            found.add(run, [test], [outcome])
    return found


def test_what_several_writers_noted_is_rolled_up_without_its_rows(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(connection)
    artifacts = list(connection.scalars(select(Artifact.id).order_by(Artifact.id)))
    whole = written_of(connection, artifacts[::2])
    whole.merge(written_of(connection, artifacts[1::2]))
    monkeypatch.setattr(rollups, "_from_rows", lambda *_: pytest.fail("rows are read"))
    middle = artifacts[len(artifacts) // 2]
    monkeypatch.setattr(rolling, "settled", lambda _: middle)
    first = update_rollups(connection, "default", whole)
    assert 0 < first < sum(expected.values())
    assert len(whole) == sum(expected.values()) - first
    monkeypatch.setattr(rolling, "settled", lambda _: None)
    assert update_rollups(connection, "default", whole) == sum(expected.values()) - first
    assert len(whole) == 0
    monkeypatch.undo()
    assert count(connection) == 2
    assert packed(connection) == expected


@pytest.mark.parametrize("lacks", ["an artifact", "a result"])
def test_what_is_not_all_that_was_written_is_read_from_rows(connection: Connection, lacks: str) -> None:
    expected = rows(connection)
    artifacts = list(connection.scalars(select(Artifact.id)))
    if lacks == "an artifact":
        written = written_of(connection, artifacts[1:])
    else:
        written = written_of(connection, artifacts)
        written.whole = False
    update_rollups(connection, "default", written)
    assert packed(connection) == expected
    assert (len(written), written.whole) == (0, True)


def test_what_comes_after_an_artifact_that_was_not_told_of_is_left_for_later(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(connection)
    artifacts = list(connection.scalars(select(Artifact.id).order_by(Artifact.id)))
    # One worker has told of all but the last, another one has committed and not told yet.
    late = artifacts[len(artifacts) // 2]
    told = written_of(connection, [one for one in artifacts if one != late])
    monkeypatch.setattr(rollups, "_from_rows", lambda *_: pytest.fail("rows are read"))
    first = update_rollups(connection, "default", told, told_only=True)
    assert connection.scalar(select(Rollup.upto)) == late - 1
    assert len(told) == sum(expected.values()) - first - results_of(connection, late)
    assert update_rollups(connection, "default", told, told_only=True) == 0, "it has not been told of yet"
    told.merge(written_of(connection, [late]))
    assert update_rollups(connection, "default", told, told_only=True) == sum(expected.values()) - first
    assert len(told) == 0
    monkeypatch.undo()
    assert count(connection) == 2
    assert packed(connection) == expected


def results_of(connection: Connection, artifact: int) -> int:
    """Return how many results an artifact brought."""
    return connection.scalar(select(func.count()).select_from(Result).where(Result.artifact_id == artifact)) or 0


def test_what_was_written_is_stored_as_somebody_else_packs_it(connection: Connection) -> None:
    expected = rows(connection)
    artifacts = list(connection.scalars(select(Artifact.id).order_by(Artifact.id)))
    written = written_of(connection, artifacts)
    asked: list[Written] = []

    def pack(told: Written) -> bytes:
        asked.append(told)
        return packing.packed(told)

    assert rolling.store_told(connection, "default", written, pack)
    assert [len(told) for told in asked] == [sum(expected.values())]
    assert (len(written), count(connection), packed(connection)) == (0, 1, expected)
    assert rolling.store_told(connection, "default", written, lambda _: pytest.fail("there is nothing to pack"))


@pytest.mark.parametrize("why", ["an artifact is not told of", "small ones are to be made one"])
def test_what_is_more_than_was_written_is_not_given_to_somebody_else(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    artifacts = list(connection.scalars(select(Artifact.id)))
    written = written_of(connection, artifacts)
    if why == "an artifact is not told of":
        written = written_of(connection, artifacts[1:])
    else:
        monkeypatch.setattr(rolling, "MANY_SMALL", 0)
    assert not rolling.store_told(connection, "default", written, lambda _: pytest.fail("it is packed"))
    assert count(connection) == 0
    assert len(written) > 0
