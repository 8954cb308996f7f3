"""`flakehunter backends`: which group-kill backends work on this machine, and why the others do not."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from flakehunter import console
from flakehunter.model import SCHEMA_VERSION


def backends(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the group-kill backends, each after a dry run on this machine; `*` marks the one that `auto` takes."""
    from flakehunter.groupkill.backend import BackendUnusableError
    from flakehunter.groupkill.choice import AUTO, choose, probe_all

    found = probe_all()
    try:
        best = choose(AUTO).name
    except BackendUnusableError as error:  # a table without a choice is still what was asked for
        console.warn(error.message)
        best = ""
    if as_json:
        rows = [{"name": name, **asdict(capability)} for name, capability in found.items()]
        console.write(json.dumps({"schema_version": SCHEMA_VERSION, "auto": best or None, "backends": rows}))
        return
    console.write(f"{'backend':<16}{'usable':<8}{'can be left':<13}{'sees all':<10}reason")
    for name, capability in found.items():
        mark = "*" if name == best else ""
        words = ("yes" if flag else "no" for flag in (capability.usable, capability.can_escape))
        usable, can_escape = words
        sees = "yes" if capability.sees_all_members else "no"
        console.write(f"{name + mark:<16}{usable:<8}{can_escape:<13}{sees:<10}{capability.reason}")
