"""`flakehunter stressors`: what can be given to `repro --stress`, and what works on this machine."""

import json as json_module
from typing import Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import JsonOption
from flakehunter.model import SCHEMA_VERSION


def stressors(
    json: JsonOption = False,
    usable: Annotated[bool, typer.Option("--usable", help="Only those that work here.")] = False,
) -> None:
    """List the stressors for repro --stress, and which of them work on this machine."""
    from flakehunter.repro.stressors.listing import list_stressors

    rows = [row for row in list_stressors() if row["usable"] or not usable]
    if json:
        console.write(json_module.dumps({"schema_version": SCHEMA_VERSION, "stressors": rows}, indent=2))
        return
    wide = max(len(row["usage"]) for row in rows)
    for row in rows:
        state = "works" if row["usable"] else f"no: {row['reason']}"
        console.write(f"{row['usage']:<{wide}}  {row['summary']} ({state})")
        hint = "" if row["usable"] else row["hint"]
        for word, text in (("needs", row["needs"]), ("side effects", row["side_effects"]), ("to allow it", hint)):
            if text:
                console.write(f"{'':<{wide}}    {word}: {text}")
