"""The table form of `repro`: the document as sentences and aligned lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flakehunter.repro.document import percent

MOST_PLANS = 6
"""Plans of the search that are shown: those under which the test failed."""

MOST_MESSAGES = 3
SHOWN_P = 0.05


def as_text(document: Mapping[str, Any], experiment_id: int) -> str:
    """Return the verdict, the diagnosis, the arms with their rates, the exact test, and what to know."""
    lines = [document["text"]]
    if document["plan"].get("text"):
        lines += [f"It {document['plan']['text']}.", f"Mechanism: {document['mechanism']}."]
    if document["deadline"] is not None:
        lines.append(f"Deadline: {document['deadline']['text']}.")
    lines += ["", *_rates(document["arms"])]
    if len(document["fixes"]) > 1:
        for fix in document["fixes"]:
            late = "" if fix["critical_delay"] is None else f": {fix['critical_delay']['text']}"
            lines.append(f"  {fix['name']}: {fix['verdict']}{late}")
    p_value = 1.0 if document["exact_test"] is None else document["exact_test"]["p_value"]
    if p_value <= SHOWN_P:
        lines.append(f"  better than before: p <= {p_value:.2g}, anytime-valid (looked at after every trial)")
    for arm in document["arms"]:
        lines += _particulars(arm)
    lines.extend(f"  note: {note}" for note in document["notes"])
    lines.append(f"  {document['elapsed_s']:.1f} s, experiment {experiment_id} in the database; {_machine(document)}")
    return "\n".join(lines)


def _rates(arms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for arm in arms:
        backend = "" if arm["group_kill"] in ("", arm["name"]) else f" ({arm['group_kill']})"
        rows.append((arm["name"] + backend, arm["stressor"], arm))
        if arm["name"] == "search":
            failed = [plan for plan in arm["plans"] if plan["failures"]]
            rows += [("", plan["stressor"], plan) for plan in failed[:MOST_PLANS]]
        if len(arm["hosts"]) > 1:
            rows += [("", f"on {one['host']}", one) for one in arm["hosts"]]
    name_width = max(7, *(len(name) for name, _, _ in rows))
    wide = max(len(stressor) for _, stressor, _ in rows)
    for name, stressor, counts in rows:
        rate = counts["rate"]
        said = counts["trials"] - counts["errors"] - counts["hangs"]
        odd = [f"{counts[key]} {key}" for key in ("errors", "hangs") if counts[key]]
        yield (
            f"  {name:<{name_width}} {stressor:<{wide}} {counts['failures']:>3} of {said:>3} failed  "
            f"{percent(rate['value']):>6}  [{percent(rate['low'])}, {percent(rate['high'])}]"
            + (f"  and {', '.join(odd)}" if odd else "")
        )


def _particulars(arm: Mapping[str, Any]) -> Iterator[str]:
    for message, count in sorted(arm["messages"].items(), key=lambda item: -item[1])[:MOST_MESSAGES]:
        yield f"  {arm['name']}, {count} x: {message}"
    if arm["left_behind"]:
        yield f"  {arm['name']}: {arm['left_behind']} trials left processes behind; they were ended"


def _machine(document: Mapping[str, Any]) -> str:
    facts = document["machine"]
    load = f", load {facts['load'][0]:.1f}" if "load" in facts else ""
    return (
        f"{facts['usable_cpus']} CPUs{load}, {facts['system']} {facts['kernel']}, "
        f"autogroup {'on' if facts['autogroup'] else 'off'}, orphans reaped by {facts['orphans_reaped_by']}"
    )
