"""Let a role of PostgreSQL read everything and write nothing: for reports, dashboards and people."""

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from flakehunter.db.engine import open_database, readonly, shown_url
from flakehunter.errors import DatabaseError, UsageError


def grant_read(url: str, role: str) -> None:
    """Let `role` read all tables, those too that are made later; take from it what else it was granted on them.

    The role has to be there: who may log in, and how, is the server's business.

    Raises:
        UsageError: the database is SQLite, or there is no such role.
        NothingToDoError: there is no database.
        DatabaseError: who asks may not grant this, or the server fails.
    """
    engine = open_database(url)
    shown = shown_url(url)
    try:
        if engine.dialect.name != "postgresql":
            raise UsageError(
                f"{shown} is a file, which knows no roles", hint="make the file readable for those who shall read it"
            )
        with engine.begin() as connection:
            _grant(connection, role)
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise DatabaseError(
            f"cannot let {role} read {shown}: {cause}",
            url=shown,
            hint="do it as the role that ingests, the tables' owner",
        ) from error
    finally:
        engine.dispose()


def may_write(engine: Engine) -> bool:
    """Whether verdicts can be stored: not by a role that was only granted to read."""
    if engine.dialect.name != "postgresql":
        return True
    with readonly(engine).connect() as connection:
        return bool(connection.scalar(text("SELECT has_table_privilege('verdicts', 'INSERT, DELETE')")))


def _grant(connection: Connection, role: str) -> None:
    if not connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}):
        raise UsageError(
            f"the server has no role {role!r}", hint=f"make it first: CREATE ROLE {_quoted(connection, role)} LOGIN"
        )
    name, schema = _quoted(connection, role), connection.scalar(select(func.current_schema()))
    where, database = _quoted(connection, str(schema)), connection.scalar(select(func.current_database()))
    for statement in (
        f"GRANT CONNECT ON DATABASE {_quoted(connection, str(database))} TO {name}",
        f"GRANT USAGE ON SCHEMA {where} TO {name}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {where} FROM {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {where} TO {name}",
        # New partitions are read through `results`; tables of later migrations are not.
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {where} GRANT SELECT ON TABLES TO {name}",
    ):
        connection.execute(text(statement))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name).replace(":", r"\:")
