"""Durations as source writes them."""

import pytest

from flakehunter.scan.durations import duration_s


@pytest.mark.parametrize(
    ("source", "unit_s", "expected"),
    [
        ("0.5", 1.0, 0.5),
        ("500", 1e-3, 0.5),
        ("10_000", 1e-3, 10.0),
        ("500*time.Millisecond", 1e-9, 0.5),
        ("5 * time.Second", 1e-9, 5.0),
        ("time.Second", 1e-9, 1.0),
        ("Duration::from_millis(250)", 1.0, 0.25),
        ("std::time::Duration::from_secs(3)", 1.0, 3.0),
        ("std::chrono::milliseconds(50)", 1.0, 0.05),
        ("TimeSpan.FromSeconds(2)", 1e-3, 2.0),
        ("100, TimeUnit.MILLISECONDS", 1e-3, 0.1),
        ("10, SECONDS", 1e-3, 10.0),
        ("5.seconds", 1e-3, 5.0),
        ("250ms", 1.0, 0.25),
        ("50 * 2", 1e-3, 0.1),
        ("delay", 1.0, None),
    ],
)
def test_duration(source: str, unit_s: float, expected: float | None) -> None:
    found = duration_s(source, unit_s)
    assert found == (None if expected is None else pytest.approx(expected))
