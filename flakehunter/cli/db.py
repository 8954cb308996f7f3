"""`flakehunter db`: the state of the database, and its migrations."""

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption
from flakehunter.config import database_url

app = typer.Typer(help="Look at the database and upgrade it.", no_args_is_help=True, rich_markup_mode=None)


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
