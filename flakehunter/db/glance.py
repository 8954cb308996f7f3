"""A look at a database without SQLAlchemy, whose import takes longer than many a command's work; see engine.py."""

import os
import sqlite3
from pathlib import Path

HEAD_REVISION = "0001"
"""The newest migration in alembic/versions; a test holds them together, so that no command imports alembic."""

SQLITE = "sqlite:///"


def seems_usable(url: str) -> bool:
    """Whether `open_database(url, create=True)` will surely do, as far as a glance tells; else open it and see why not.

    Only for SQLite: whether a server can be used shows when it is asked.
    """
    name = url.removeprefix(SQLITE)
    if name == url or not name or name == ":memory:" or "?" in name or "%" in name:
        return False
    path = Path(name)
    folder = next((parent for parent in path.absolute().parents if parent.exists()), None)
    if folder is None or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    if not path.exists():
        return True
    if not os.access(path, os.R_OK | os.W_OK):
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return False
    try:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD_REVISION,)]
    except sqlite3.Error:
        return False
    finally:
        connection.close()
