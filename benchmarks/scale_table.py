"""The tables of `benchmarks.scale`, and what the figures say to what is asked of a fleet."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from benchmarks.scale_processes import Cpu
from benchmarks.turns import Row

ONE_WORKER, TWO_WORKERS = "1 worker", "2 workers"
"""Fleets that share all CPUs with server, scheduler and command."""
ONE_CPU, TWO_CPUS = "one CPU, 1 worker", "two CPUs, 2 workers"
"""Fleets of which everything shares so many CPUs: the hardware grows with the workers."""

EFFICIENCY = 0.8
"""Asked of two workers."""
GROWTH = 1.3
"""The cost of a result among the most results is at most so many times that among the fewest."""

QUIET_CPUS = 0.3
"""What a machine with nothing else to do keeps busy at most: the kernel writes to disk, and counts as others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of both commands at one size with one fleet, and the bytes of a result in the database.

    A start is what the command takes for one file.
    """

    results: int
    fleet: str
    workers: int
    ingest_s: float
    ingest_start_s: float
    ingest_cpu: Cpu
    detect_s: float
    detect_start_s: float
    bytes_a_result: float
    others: float
    """CPUs that were busy with anything else meanwhile, on average."""

    def as_row(self) -> Row:
        """Return what can be kept as JSON."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Return what was kept."""
        values = {name: value for name, value in row.items() if name != "key"}
        return cls(**values | {"ingest_cpu": Cpu(**row["ingest_cpu"])})

    def seconds(self, command: str) -> float:
        """Return the wall time of `ingest` or `detect`."""
        return self.ingest_s if command == "ingest" else self.detect_s

    def start(self, command: str) -> float:
        """Return the wall time of `ingest` or `detect` for one file."""
        return self.ingest_start_s if command == "ingest" else self.detect_start_s


class Figures:
    """All that was measured, by size and fleet."""

    def __init__(self, measured: Sequence[Measured]) -> None:
        self.measured = sorted(measured, key=lambda one: one.results)
        self._by_place = {(one.results, one.fleet): one for one in measured}
        self.sizes = sorted({one.results for one in measured})

    def pair(self, results: int, *, grown: bool) -> tuple[Measured, Measured] | None:
        """Return one worker and two at a size: with as many CPUs each as workers, or all sharing this machine's."""
        one = self._by_place.get((results, ONE_CPU if grown else ONE_WORKER))
        two = self._by_place.get((results, TWO_CPUS)) if grown else None
        if two is None:
            # Not measured apart where the machine has just two CPUs.
            two = self._by_place.get((results, TWO_WORKERS))
        return (one, two) if one and two else None

    def shared(self) -> list[str]:
        """Return the table of fleets that share all CPUs of this machine."""
        heads = ["results", "fleet", "ingest", "µs a result", "efficiency", "its ceiling"]
        heads += ["CPU µs a result: workers, server, others", "detect", "µs a result", "efficiency", "bytes a result"]
        lines = [f"| {' | '.join(heads)} |", "|---:|---|" + "---:|" * (len(heads) - 2)]
        for one in self.measured:
            if one.fleet in (ONE_CPU, TWO_CPUS):
                continue
            base = self._by_place.get((one.results, ONE_WORKER), one)
            ceiling = min(1.0, (os.cpu_count() or 1) * base.ingest_s / base.ingest_cpu.whole / one.workers)
            cpu = (one.ingest_cpu.workers, one.ingest_cpu.server, one.ingest_cpu.others)
            lines.append(
                f"| {one.results:,} | {one.fleet} | {one.ingest_s:.1f} s | {one.ingest_s / one.results * 1e6:.1f} | "
                f"{base.ingest_s / one.ingest_s / one.workers:.2f} | {ceiling:.2f} | "
                f"{', '.join(f'{seconds / one.results * 1e6:.0f}' for seconds in cpu)} | "
                f"{one.detect_s:.1f} s | {one.detect_s / one.results * 1e6:.2f} | "
                f"{base.detect_s / one.detect_s / one.workers:.2f} | {one.bytes_a_result:.0f} |"
            )
        return lines

    def grown(self) -> list[str]:
        """Return the table of fleets that have as many CPUs as workers, for everything."""
        heads = ["results", "command", ONE_CPU, "its start", TWO_CPUS, "its start", "efficiency", "without the start"]
        lines = [f"| {' | '.join(heads)} |", "|---:|---|" + "---:|" * (len(heads) - 2)]
        for results in self.sizes:
            if pair := self.pair(results, grown=True):
                one, two = pair
                for command in ("ingest", "detect"):
                    times = (one.seconds(command), one.start(command), two.seconds(command), two.start(command))
                    lines.append(
                        f"| {results:,} | `{command}` | {' | '.join(f'{seconds:.1f} s' for seconds in times)} | "
                        f"{_efficiency(one, two, command):.2f} | {_efficiency(one, two, command, started=True):.2f} |"
                    )
        return lines

    def answers(self) -> Iterator[str]:
        """Say for each thing that is asked at which sizes it holds; a loaded machine says nothing of it."""
        if self._most_others() >= QUIET_CPUS:
            yield "Whether what is asked holds, a loaded machine cannot tell."
            return
        each, same = "with a CPU each", "on the same CPUs as one"
        for grown, started, where in (
            (True, True, f"{each}, without the start"),
            (True, False, each),
            (False, False, same),
        ):
            for command in ("ingest", "detect"):
                found = {
                    results: _efficiency(*pair, command, started=started)
                    for results in self.sizes
                    if (pair := self.pair(results, grown=grown))
                }
                holds = [f"{results:,}" for results, value in found.items() if value >= EFFICIENCY]
                fails = [f"{results:,} ({value:.2f})" for results, value in found.items() if value < EFFICIENCY]
                if found:
                    yield f"Efficiency of {EFFICIENCY} by two workers {where}, `{command}`: {_said(holds, fails)}."
        ends = [self._by_place.get((results, ONE_WORKER)) for results in (self.sizes[0], self.sizes[-1])]
        few, many = ends
        if few and many and few.results < many.results:
            for command in ("ingest", "detect"):
                times = many.seconds(command) / many.results / (few.seconds(command) / few.results)
                work = [(one.seconds(command) - one.start(command)) / one.results for one in (many, few)]
                yield (
                    f"A result of {many.results:,} costs {times:.2f} times one of {few.results:,}, `{command}` by one "
                    f"worker: at most {GROWTH} {'holds' if times <= GROWTH else 'does not hold'}; "
                    f"without the start {work[0] / work[1]:.2f} times."
                )

    def machine(self) -> str:
        """Say what the figures depend on."""
        most = self._most_others()
        state = "with nothing else to do" if most < QUIET_CPUS else "loaded, so that no second counts"
        return f"{os.cpu_count()} CPUs, {state}: whatever else ran kept at most {most:.2f} of them busy in a row."

    def _most_others(self) -> float:
        return max(one.others for one in self.measured)


def _efficiency(one: Measured, two: Measured, command: str, *, started: bool = False) -> float:
    """Return the efficiency of a command; once it is started, of what it does then."""
    times = [fleet.seconds(command) - (fleet.start(command) if started else 0) for fleet in (one, two)]
    return times[0] / times[1] / two.workers


def _said(holds: Sequence[str], fails: Sequence[str]) -> str:
    parts = [f"holds at {', '.join(holds)}"] if holds else []
    parts += [f"does not hold at {', '.join(fails)}"] if fails else []
    return "; ".join(parts)
