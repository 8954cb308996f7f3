"""`flakehunter db`: the state of the database, its migrations, its size and its readers."""

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption
from flakehunter.config import database_url
from flakehunter.errors import UsageError

if TYPE_CHECKING:
    from flakehunter.db.prune import Pruned

app = typer.Typer(
    help="Upgrade the database, prune it, let others read it.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def upgrade(db: DbOption = None) -> None:
    """Bring the database to the revision of this version of flakehunter."""
    from flakehunter.db import migrate

    before, after = migrate.upgrade(database_url(db))
    if before == after:
        console.say(f"the database is at revision {after} already")
    else:
        console.say(f"upgraded the database from revision {before or 'none'} to {after}")


@app.command()
def revision(db: DbOption = None) -> None:
    """Print the revision of the database."""
    from flakehunter.db import migrate

    console.write(migrate.database_revision(database_url(db)) or "none")


@app.command()
def prune(
    keep: Annotated[
        str,
        typer.Option(metavar="TIME", help="What stays: the last 180d or 26w, or everything since 2026-05-01."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what went as JSON.")] = False,
    db: DbOption = None,
) -> None:
    """Remove results, log lines and failure texts of old runs; what detect and report know of their history stays."""
    from flakehunter.cli.report_common import day_of
    from flakehunter.clock import utc_now
    from flakehunter.db import prune as core

    now = utc_now()
    before = day_of(keep, "--keep")
    if before >= now:
        raise UsageError(f"--keep {keep!r} keeps nothing", hint="write 180d, 26w or a day in the past")
    pruned = core.prune(database_url(db), before, dry_run=dry_run)
    if json:
        console.write(json_format.dumps({"schema_version": 1, "dry_run": dry_run, **_document(pruned)}, indent=2))
    _say_pruned(pruned, dry_run)


def _document(pruned: "Pruned") -> dict[str, object]:
    return asdict(pruned) | {"before": pruned.before.isoformat(), "partitions": list(pruned.partitions)}


def _say_pruned(pruned: "Pruned", dry_run: bool) -> None:
    day = f"{pruned.before:%Y-%m-%d %H:%M} UTC"
    if not any((pruned.results, pruned.log_events, pruned.properties, pruned.failures, pruned.partitions)):
        console.say(f"nothing is older than {day}")
        return
    rows = (
        f"{pruned.results:,} results, {pruned.log_events:,} log lines, {pruned.properties:,} properties"
        f" and {pruned.failures:,} failure texts"
    )
    console.say(
        f"{'would remove' if dry_run else 'removed'} {rows}, of {console.plural(pruned.runs, 'run')} before {day}"
    )
    if pruned.partitions:
        months = f"{pruned.partitions[0]} to {pruned.partitions[-1]}" if pruned.partitions[1:] else pruned.partitions[0]
        console.say(f"{console.plural(len(pruned.partitions), 'partition')} as a whole: {months}")
    if not dry_run:
        console.say(f"{pruned.bytes_freed / 1e6:,.1f} MB freed; the outcomes stay in rollups, for detect and report")


@app.command("grant-read")
def grant_read(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of the PostgreSQL server.", show_default=False)],
    db: DbOption = None,
) -> None:
    """Let a role of PostgreSQL read everything and write nothing, as reports need it."""
    from flakehunter.db import readers

    readers.grant_read(database_url(db), role)
    console.say(f"{role} can read all tables, and write none")
