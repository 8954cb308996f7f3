"""Thousands of rows into a table at once, in the fewest statements that the database takes them in."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, String

ROWS_AT_ONCE = 10_000


def add_rows(
    connection: Connection, table: FromClause, columns: Sequence[ColumnElement[Any]], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, each with a value for each of `columns`, in the given transaction.

    The driver has them as they are: SQLAlchemy goes over each value of each row on its own. PostgreSQL takes columns as
    arrays: 10,000 verdicts take a fifth of the client's time that as many statements take, and half of the server's.
    """
    for start in range(0, len(rows), ROWS_AT_ONCE):
        _add_some(connection, table, columns, rows[start : start + ROWS_AT_ONCE])


def _add_some(
    connection: Connection, table: FromClause, columns: Sequence[ColumnElement[Any]], rows: Sequence[Sequence[Any]]
) -> None:
    names = ", ".join(column.key for column in columns if column.key)
    values = [_as_stored(connection, *pair) for pair in zip(columns, zip(*rows, strict=True), strict=True)]
    if connection.dialect.name == "postgresql":
        types = [_type(connection, column) for column in columns]
        arrays = ", ".join(f"%b::{'TEXT' if kind == 'JSONB' else kind}[]" for kind in types)
        selected = ", ".join(f"c{place}::JSONB" if kind == "JSONB" else f"c{place}" for place, kind in enumerate(types))
        unnested = ", ".join(f"c{place}" for place in range(len(columns)))
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({names}) SELECT {selected} FROM unnest({arrays}) AS t({unnested})", tuple(values)
        )
    else:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(zip(*values, strict=True)))


def _as_stored(connection: Connection, column: ColumnElement[Any], values: Sequence[Any]) -> list[Any]:
    """Return values in the form that the driver takes; an object that many rows share is brought into it once."""
    kind = column.type.dialect_impl(connection.dialect)
    process: Callable[[Any], Any] | None = kind.bind_processor(connection.dialect)
    if _type(connection, column) == "JSONB":
        process = json.dumps  # the driver would do so for each row
    if process is None:
        return list(values)
    different = {id(value): value for value in values}
    stored = {key: process(value) for key, value in different.items()}
    return [stored[id(value)] for value in values]


def _type(connection: Connection, column: ColumnElement[Any]) -> str:
    """Return the type of a column; a cast to a text of limited length would cut it where an insert is refused."""
    kind = column.type.dialect_impl(connection.dialect)
    return "TEXT" if isinstance(getattr(kind, "impl", kind), String) else kind.compile(connection.dialect)
