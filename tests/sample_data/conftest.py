"""The modules beside sample_data/record.py, which are no package of ours, and what truth.json says."""

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sample_data"))

from recording import check  # noqa: E402 - after the path


@pytest.fixture(scope="session")
def truth() -> dict[str, Any]:
    """Give sample_data/truth.json."""
    return check.load_truth()


@pytest.fixture
def project() -> Path:
    """Give the folder of the sample project."""
    return ROOT / "sample_data" / "project"
