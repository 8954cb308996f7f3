"""Sites that several test modules only read, written once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from report_builder import hostile_history, team_history

from flakehunter.db.engine import open_database
from flakehunter.report.site import write_report


@pytest.fixture(scope="session")
def team_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a small team."""
    return _written(team_history, tmp_path_factory.mktemp("team"))


@pytest.fixture(scope="session")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a database in which every text is hostile."""
    return _written(hostile_history, tmp_path_factory.mktemp("hostile"))


def _written(history: Callable[[Path], None], folder: Path) -> Path:
    history(folder / "x.db")
    engine = open_database(f"sqlite:///{folder / 'x.db'}")
    write_report(engine, folder / "site")
    engine.dispose()
    return folder / "site"
