"""What the page of benchmarks.scale says of the figures."""

from benchmarks.scale_processes import Cpu
from benchmarks.scale_table import ONE_CPU, ONE_WORKER, TWO_WORKERS, Figures, Measured


def measured(results: int, fleet: str, workers: int, seconds: float, *, others: float = 0.01) -> Measured:
    """Return a row: both commands took so long, two seconds of it to start, and others kept so many CPUs busy."""
    return Measured(results, fleet, workers, seconds, 2.0, Cpu(1, 1, 1), seconds, 2.0, 150, others)


def test_answers_are_those_of_the_figures() -> None:
    figures = Figures(
        [
            measured(1000, ONE_WORKER, 1, 4.0),
            measured(1000, TWO_WORKERS, 2, 4.0),
            measured(1000, ONE_CPU, 1, 6.0),
            measured(9000, ONE_WORKER, 1, 54.0),
            measured(9000, TWO_WORKERS, 2, 30.0),
            measured(9000, ONE_CPU, 1, 48.0),
        ]
    )

    started, each, same, growth = [line for line in figures.answers() if "`ingest`" in line]
    assert started == (
        "Efficiency of 0.8 by two workers with a CPU each, without the start, `ingest`: holds at 1,000, 9,000."
    )
    assert each == (
        "Efficiency of 0.8 by two workers with a CPU each, `ingest`: holds at 9,000; does not hold at 1,000 (0.75)."
    )
    assert same == (
        "Efficiency of 0.8 by two workers on the same CPUs as one, `ingest`: holds at 9,000; "
        "does not hold at 1,000 (0.50)."
    )
    assert growth == (
        "A result of 9,000 costs 1.50 times one of 1,000, `ingest` by one worker: at most 1.3 does not hold; "
        "without the start 2.89 times."
    )
    assert "| 9,000 | `detect` | 48.0 s | 2.0 s | 30.0 s | 2.0 s | 0.80 | 0.82 |" in figures.grown()
    assert "nothing else to do" in figures.machine()


def test_loaded_machine_answers_nothing() -> None:
    figures = Figures([measured(1000, ONE_WORKER, 1, 4.0), measured(1000, TWO_WORKERS, 2, 2.0, others=0.9)])

    assert list(figures.answers()) == ["Whether what is asked holds, a loaded machine cannot tell."]
    assert "loaded" in figures.machine()
    assert "0.90" in figures.machine()


def test_row_that_was_kept_is_the_row_that_was_measured() -> None:
    row = measured(1000, ONE_WORKER, 1, 4.0)

    assert Measured.from_row({"key": "1,000 results, 1 worker"} | row.as_row()) == row
