"""The charts of the pages; the numbers of each also stand in its description, and in text or a table beside it."""

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flakehunter.report.svg import (
    ACCENT,
    BROKEN,
    FAIL,
    INK,
    LINE,
    PASS,
    QUIET,
    SOFT,
    Margins,
    drawing,
    inline_svg,
    label_room,
)
from flakehunter.report.text import seconds
from flakehunter.report.views import Arm, Deaths, Durations, MechanismCount, TraceView, Trend


def ascii_label(text: str, limit: int = 40) -> str:
    """Return `text` for an axis: the font has no other letters, and long names would leave no room for bars."""
    plain = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def trend(data: Trend, *, key: str = "trend") -> Markup:
    """Return stacked bars of all jobs over time: green, lost to flakes alone, red for another reason."""
    with drawing(7.2, 2.9, Margins(0.45, 0.68, top=0.35)) as (figure, axes):
        places = range(len(data.periods))
        lost = [period.lost for period in data.periods]
        broken = [period.broken for period in data.periods]
        green = [period.jobs - period.lost - period.broken for period in data.periods]
        axes.bar(places, lost, color=FAIL, width=0.8, label="lost to flakes alone")
        axes.bar(places, broken, bottom=lost, color=BROKEN, width=0.8, label="red for another reason")
        both = [a + b for a, b in zip(lost, broken, strict=True)]
        axes.bar(places, green, bottom=both, color=QUIET, width=0.8, label="green")
        step = max(1, -(-len(data.periods) // 12))
        axes.set_xticks(list(places)[::step], [ascii_label(period.label, 12) for period in data.periods][::step])
        if len(data.periods) > 5:
            axes.tick_params("x", rotation=35, labelsize=8)
            for label in axes.get_xticklabels():
                label.set(horizontalalignment="right", rotation_mode="anchor")
        axes.tick_params("both", length=0)
        axes.set_ylabel("jobs")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(visible=True, axis="y")
        axes.spines["left"].set_visible(False)
        figure.legend(loc="upper left", ncols=3, fontsize=9, handlelength=0.9, handleheight=0.9, borderaxespad=0.2)
        total = sum(period.jobs for period in data.periods)
        text = (
            f"{total} jobs in {len(data.periods)} bars, one per {data.unit}: {sum(lost)} lost to flakes alone, "
            f"{sum(broken)} red for another reason, {sum(green)} green."
        )
        return inline_svg(figure, key=key, title=f"How the jobs of each {data.unit} ended", text=text)


def flake_rate(data: Trend, *, key: str = "rate") -> Markup | None:
    """Return the share of attempts of flaky tests that failed, over time; None where none was tried."""
    known = [(place, period.flake_rate) for place, period in enumerate(data.periods) if period.flake_rate is not None]
    if not known:
        return None
    with drawing(7.2, 2.2, Margins(0.6, 0.4, top=0.12)) as (figure, axes):
        places, rates = zip(*known, strict=True)
        axes.plot(places, rates, color=FAIL, linewidth=2, marker="o", markersize=4, clip_on=False)
        axes.fill_between(places, rates, color=FAIL, alpha=0.15, linewidth=0)
        axes.set_xlim(-0.5, len(data.periods) - 0.5)
        axes.set_ylim(0, max(rates) * 1.15 or 1.0)
        axes.set_xticks([])
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value * 100:.3g} %"))
        axes.set_xlabel(f"the same {data.unit}s")
        axes.tick_params("both", length=0)
        axes.grid(visible=True, axis="y")
        axes.spines["left"].set_visible(False)
        text = "; ".join(f"{data.periods[place].label}: {rate:.1%}" for place, rate in known)
        return inline_svg(figure, key=key, title="Share of the attempts of flaky tests that failed", text=text)


def mechanisms(counts: Sequence[MechanismCount], *, key: str = "mechanisms") -> Markup:
    """Return horizontal bars: flaky tests by mechanism, most first."""
    names = [row.mechanism.value if row.mechanism else "not known yet" for row in counts]
    with drawing(5.2, 0.2 + 0.32 * len(counts), Margins(label_room(names), 0.08)) as (figure, axes):
        places = range(len(counts))
        colors = [ACCENT if row.mechanism else QUIET for row in counts]
        axes.barh(places, [row.tests for row in counts], color=colors, height=0.62)
        axes.set_yticks(places, names)
        axes.tick_params("y", length=0, labelcolor=INK)
        axes.tick_params("x", length=0)
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlim(0, max(row.tests for row in counts) * 1.12)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        for place, row in zip(places, counts, strict=True):
            axes.text(row.tests, place, f" {row.tests}", va="center", color=SOFT)
        text = "; ".join(f"{name}: {row.tests}" for name, row in zip(names, counts, strict=True))
        return inline_svg(figure, key=key, title="Flaky tests by mechanism", text=text)


def durations(data: Durations, *, key: str = "durations") -> Markup | None:
    """Return passes above the line and failures below it, by duration; None where fewer than two are known."""
    known = [*data.passed, *data.failed]
    if len(known) < 2 or max(known) <= 0:
        return None
    with drawing(8.6, 1.9, Margins(0.6, 0.35)) as (figure, axes):
        floor = max(min((value for value in known if value > 0), default=0.001), 0.001)
        wide = max(known) / floor > 20
        edges = _edges(floor, max(known), logarithmic=wide)
        for values, color, sign in ((data.passed, PASS, 1), (data.failed, FAIL, -1)):
            counts = [sign * count for count in _histogram(values, edges)]
            axes.stairs(counts, edges, fill=True, color=color)
        if wide:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.set_xlim(edges[0], edges[-1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: seconds(value)))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{abs(value):.0f}"))
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set_ylabel("failures | passes")
        axes.tick_params("both", length=0)
        axes.grid(visible=True, axis="y")
        axes.spines[["left", "bottom"]].set_visible(False)
        text = f"Passes: {describe(data.passed)}. Failures: {describe(data.failed)}."
        return inline_svg(figure, key=key, title="Durations of passes (up) and failures (down)", text=text)


def describe(values: Sequence[float]) -> str:
    """Return number, median and range of sorted durations in words."""
    if not values:
        return "none with a duration"
    middle = values[len(values) // 2]
    if len(values) == 1:
        return f"1, {seconds(middle)}"
    return f"{len(values)}, median {seconds(middle)}, from {seconds(values[0])} to {seconds(values[-1])}"


def _edges(low: float, high: float, *, logarithmic: bool, bins: int = 28) -> list[float]:
    if logarithmic:
        factor = (high * 1.001 / low) ** (1 / bins)
        return [low * factor**place for place in range(bins + 1)]
    width = high * 1.001 / bins
    return [width * place for place in range(bins + 1)]


def _histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    place = 0
    for value in values:
        while place < len(counts) - 1 and value >= edges[place + 1]:
            place += 1
        counts[place] += 1
    return counts


def arms(rows: Sequence[Arm], *, key: str) -> Markup:
    """Return the failure rate of each arm of an experiment with its interval."""
    names = [ascii_label(" / ".join(part for part in (row.name, row.stressor, row.group_kill) if part)) for row in rows]
    with drawing(9.4, 0.7 + 0.34 * len(rows), Margins(label_room(names) + 0.1, 0.55, right=0.3)) as (figure, axes):
        places = list(range(len(rows)))
        values = [row.rate.value for row in rows]
        lower = [max(0.0, row.rate.value - row.rate.low) for row in rows]
        upper = [max(0.0, row.rate.high - row.rate.value) for row in rows]
        for place, row in zip(places, rows, strict=True):
            color = FAIL if row.failures else PASS
            axes.errorbar(
                [values[place]],
                [place],
                xerr=[[lower[place]], [upper[place]]],
                fmt="o",
                color=color,
                markersize=6,
                elinewidth=2,
                capsize=4,
                capthick=1.5,
                clip_on=False,
            )
        axes.set_yticks(places, names)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, max(0.05, *(row.rate.high for row in rows)) * 1.03)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value * 100:.3g} %"))
        axes.set_xlabel("trials that failed, with 95 % interval")
        axes.tick_params("both", length=0)
        axes.tick_params("y", labelcolor=INK, pad=9)
        axes.grid(visible=True, axis="x")
        axes.spines["left"].set_visible(False)
        text = "; ".join(
            f"{name}: {row.failures} of {row.trials} failed, {row.rate.value:.1%} "
            f"(95 % interval {row.rate.low:.1%} to {row.rate.high:.1%})"
            for name, row in zip(names, rows, strict=True)
        )
        return inline_svg(figure, key=key, title="Failure rate of each arm", text=text)


LINES = (
    (ACCENT, "-"),
    (FAIL, "-"),
    (PASS, "-"),
    (BROKEN, "-"),
    (ACCENT, "--"),
    (FAIL, "--"),
    (PASS, "--"),
    (BROKEN, "--"),
)
"""Colour and dash of the lines of a chart; a ninth line looks like the first."""


def deaths(groups: Sequence[Deaths], *, key: str = "deaths") -> Markup:
    """Return the share of processes that are gone after a time, for each stressor and backend."""
    with drawing(8.6, 2.7, Margins(0.75, 0.5, top=0.1, right=0.3)) as (figure, axes):
        floor = max(0.01, min(time for group in groups for time in group.times_ms))
        ceiling = max(time for group in groups for time in group.times_ms) * 1.3 + floor
        for place, group in enumerate(groups):
            color, dash = LINES[place % len(LINES)]
            times = [max(time, floor) for time in group.times_ms]
            shares = [(rank + 1) / len(times) for rank in range(len(times))]
            # From nothing at the left edge, one step a death, to the right edge.
            steps_x, steps_y = [floor, *times, ceiling], [0.0, *shares, 1.0]
            axes.step(steps_x, steps_y, where="post", color=color, linestyle=dash, label=_arm_name(group))
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xlim(floor, ceiling)
        axes.set_ylim(0, 1.02)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: seconds(value / 1000)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value * 100:.0f} %"))
        axes.set_ylabel("gone")
        axes.set_xlabel("time to death")
        axes.tick_params("both", length=0)
        axes.grid(visible=True)
        axes.spines["left"].set_visible(False)
        axes.legend(loc="lower right", fontsize=9)
        text = "; ".join(
            f"{_arm_name(group)}: {len(group.times_ms)} processes, half gone after "
            f"{seconds(group.times_ms[(len(group.times_ms) - 1) // 2] / 1000)}, the last after "
            f"{seconds(group.times_ms[-1] / 1000)}"
            for group in groups
        )
        return inline_svg(figure, key=key, title="Time to death", text=text)


def _arm_name(group: Deaths) -> str:
    return ascii_label(" / ".join(part for part in (group.stressor, group.group_kill) if part) or "no stress")


MARKS = {"signal": ("v", ACCENT), "exit": ("X", FAIL), "reap": ("s", BROKEN), "look": ("o", INK)}
"""Marker and colour of the moments of a traced process."""

MOST_EVENTS = 8


def timeline(trace: TraceView, *, key: str = "timeline") -> Markup | None:
    """Return when each process of a finding was signalled, ended, was reaped and was looked at; None without times."""
    events = [event for event in trace.events if event.moments][:MOST_EVENTS]
    if not events:
        return None
    names = [ascii_label(event.process, 30) for event in events]
    with drawing(9.4, 0.95 + 0.5 * len(events), Margins(label_room(names), 0.5, top=0.35, right=0.3)) as (figure, axes):
        for place, event in enumerate(events):
            start = event.moments[0][1]
            times = {name: time - start for name, time in event.moments}
            axes.plot([0, max(times.values())], [place, place], color=LINE, linewidth=2, zorder=1)
            if "look" in times and "exit" in times:
                late = times["look"] >= times["exit"]
                ends = [times["exit"], times["look"]]
                axes.plot(ends, [place, place], color=PASS if late else FAIL, linewidth=5, zorder=2)
            for name, time in times.items():
                marker, color = MARKS[name]
                axes.plot(
                    [time], [place], marker=marker, color=color, markersize=8, linestyle="", zorder=3, clip_on=False
                )
        for name, (marker, color) in MARKS.items():
            axes.plot([], [], marker, color=color, label=name)
        figure.legend(loc="upper left", ncols=4, fontsize=9, handletextpad=0.1, borderaxespad=0.2)
        axes.set_yticks(range(len(events)), names)
        axes.set_ylim(len(events) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: seconds(value / 1000)))
        axes.set_xlabel("after the first of them; the thick part is the slack between exit and look")
        axes.tick_params("both", length=0)
        axes.tick_params("y", labelcolor=INK)
        axes.grid(visible=True, axis="x")
        axes.spines["left"].set_visible(False)
        text = "; ".join(
            f"{name}: " + ", ".join(f"{word} at {time - event.moments[0][1]:.2f} ms" for word, time in event.moments)
            for name, event in zip(names, events, strict=True)
        )
        return inline_svg(figure, key=key, title="What happened to the processes of the traced run", text=text)
