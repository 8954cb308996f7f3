"""Thousands of rows into a table at once, in the fewest statements that the database takes them in."""

from collections.abc import Callable, Iterator, Sequence
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
    values = [
        list(_as_stored(connection, column, one)) for column, one in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%b::{_array_type(connection, column)}" for column in columns)
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})", tuple(values))
    else:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(zip(*values, strict=True)))


def _as_stored(connection: Connection, column: ColumnElement[Any], values: Sequence[Any]) -> Iterator[Any]:
    """Yield values in the form that the driver takes; one that all rows have is brought into it once."""
    kind = column.type.dialect_impl(connection.dialect)
    process: Callable[[Any], Any] = kind.bind_processor(connection.dialect) or (lambda value: value)
    first = values[0]
    if all(value is first for value in values):
        yield from [process(first)] * len(values)
    else:
        yield from map(process, values)


def _array_type(connection: Connection, column: ColumnElement[Any]) -> str:
    """Return the array's type; a cast to one of limited length would cut a text where an insert is refused."""
    kind = column.type.dialect_impl(connection.dialect)
    name = "TEXT" if isinstance(getattr(kind, "impl", kind), String) else kind.compile(connection.dialect)
    return f"{name}[]"
