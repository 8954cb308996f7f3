"""Migrations create what the models say, on both servers, and can be taken back."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from flakehunter.db import engine as db_engine
from flakehunter.db import migrate
from flakehunter.db.partitions import is_partition
from flakehunter.db.schema import Base
from flakehunter.errors import DatabaseError


def test_revisions_agree_with_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.migrations_folder()))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == db_engine.HEAD_REVISION
    assert [step.revision for step in script.walk_revisions()][::-1] == list(db_engine.REVISIONS)


def test_migrations_make_the_models_tables(empty_database: str) -> None:
    assert migrate.upgrade(empty_database) == (None, db_engine.HEAD_REVISION)
    engine = create_engine(empty_database)
    with engine.connect() as connection:
        tables_alone = {"include_name": lambda name, kind, _: kind != "table" or not is_partition(name)}
        context = MigrationContext.configure(connection, opts={"compare_type": True, **tables_alone})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_first_use_makes_the_same_tables_as_the_migrations(empty_database: str) -> None:
    db_engine.open_database(empty_database, create=True).dispose()
    assert migrate.database_revision(empty_database) == db_engine.HEAD_REVISION
    assert migrate.upgrade(empty_database) == (db_engine.HEAD_REVISION, db_engine.HEAD_REVISION)
    db_engine.open_database(empty_database).dispose()


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("made_by", ["migrations", "first use"])
def test_a_writer_takes_many_numbers_of_results_at_a_time(postgres_database: str, made_by: str) -> None:
    if made_by == "migrations":
        migrate.upgrade(postgres_database)
    else:
        db_engine.open_database(postgres_database, create=True).dispose()
    engine = create_engine(postgres_database)
    with engine.connect() as connection:
        query = text("SELECT cache_size FROM pg_sequences WHERE sequencename = 'results_id_seq'")
        assert connection.scalar(query) == 1000
    engine.dispose()


def test_downgrade_drops_every_table(empty_database: str) -> None:
    migrate.upgrade(empty_database)
    migrate.downgrade(empty_database, "base")
    engine = create_engine(empty_database)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()
    assert migrate.upgrade(empty_database) == (None, db_engine.HEAD_REVISION)


@pytest.mark.parametrize(
    ("revision", "hint"), [("9999", "upgrade flakehunter"), ("0000", "flakehunter db upgrade")], ids=["newer", "older"]
)
def test_another_revision_is_refused_and_not_touched(
    empty_database: str, revision: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_engine, "REVISIONS", ("0000", *db_engine.REVISIONS))
    db_engine.open_database(empty_database, create=True).dispose()
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(DatabaseError) as caught:
        db_engine.open_database(empty_database, create=True)
    assert caught.value.exit_code == 5
    assert hint in (caught.value.hint or "")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == revision
    engine.dispose()


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, not a database, and they are long enough to be read as a header" * 20)
    with pytest.raises(DatabaseError, match=r"not a database"):
        db_engine.open_database(f"sqlite:///{path}", create=True)


def test_someone_elses_database_is_refused(empty_database: str) -> None:
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    engine.dispose()
    with pytest.raises(DatabaseError, match=r"not one of flakehunter's"):
        db_engine.open_database(empty_database)
