"""Alembic's entry: runs the migrations on the connection that `flakehunter.db.migrate` hands over."""

from alembic import context

from flakehunter.config import database_url
from flakehunter.db.engine import open_database
from flakehunter.db.partitions import is_partition
from flakehunter.db.schema import Base


def run() -> None:
    """Migrate the given connection, or the database of FLAKEHUNTER_DB when alembic was called by hand."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        with open_database(database_url(None), create=True, check=False).begin() as opened:
            context.config.attributes["connection"] = opened
            run()
        return
    # Batch mode: SQLite cannot alter a column in place.
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        include_name=lambda name, kind, _parents: kind != "table" or not is_partition(str(name)),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
