"""The `flakehunter` command: registers the commands, catches every error once, decides the exit code."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from flakehunter import __version__, console
from flakehunter.cli.commands import CommandGroup
from flakehunter.cli.defaults import option_defaults
from flakehunter.config import load_config
from flakehunter.errors import FlakehunterError
from flakehunter.exitcodes import ExitCode

# Click's errors, whichever copy of click this version of typer brings.
_ClickException: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="flakehunter",
    cls=CommandGroup,
    help="Find flaky tests in a CI history, say why they flake, reproduce them, and prove that a fix holds.",
    no_args_is_help=True,
    rich_markup_mode=None,  # keeps rich out of --help, which has to be quick
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "FLAKEHUNTER"},
)


def _version(wanted: bool) -> None:
    if wanted:
        console.write(f"flakehunter {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only data, warnings and errors.")] = False,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more.")] = 0,
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--no-color", help="Colour or not; else NO_COLOR, FORCE_COLOR, terminal.", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Configuration; default: the nearest one upwards.", show_default=False
        ),
    ] = None,
) -> None:
    """Find flaky tests in a CI history, say why they flake, reproduce them, and prove that a fix holds."""
    console.configure(quiet=quiet, verbose=verbose, color=color)
    loaded = load_config(config)
    context.obj = loaded
    context.default_map = option_defaults(context.command, loaded)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; never raises but for a bug under FLAKEHUNTER_DEBUG=1."""
    _raise_on_sigterm()
    try:
        result = app(args=None if argv is None else list(argv), prog_name="flakehunter", standalone_mode=False)
        sys.stdout.flush()
        return int(result) if isinstance(result, int) else ExitCode.OK
    except FlakehunterError as error:
        return _fail(error.message, error.hint, error.exit_code)
    except _ClickException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        print("flakehunter: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except _Terminated:
        print("flakehunter: terminated", file=sys.stderr)
        return ExitCode.TERMINATED
    except BrokenPipeError:
        return _reader_has_gone()
    except SystemExit as error:
        # Typer turns a broken pipe into exit 1, which would read as "findings".
        if isinstance(error.__context__, BrokenPipeError):
            return _reader_has_gone()
        raise
    except Exception as error:
        if os.environ.get("FLAKEHUNTER_DEBUG"):
            raise
        if "sqlalchemy" in sys.modules:
            from flakehunter.db.engine import refused

            if known := refused(error):
                return _fail(known.message, known.hint, known.exit_code)
        return _fail(
            f"internal error: {type(error).__name__}: {error}",
            "this is a bug of flakehunter: run again with FLAKEHUNTER_DEBUG=1 and report the traceback",
            ExitCode.BUG,
        )


def _reader_has_gone() -> int:
    """The reader (head, less) has seen enough: a quiet end, also of what Python would still flush at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return ExitCode.OK


class _Terminated(BaseException):
    """SIGTERM arrived: unwinds the stack, so that every trial and stressor is ended on the way."""


def _raise_on_sigterm() -> None:
    def on_sigterm(_number: int, _frame: object) -> NoReturn:
        raise _Terminated

    with contextlib.suppress(ValueError):  # only the main thread may set handlers
        signal.signal(signal.SIGTERM, on_sigterm)


def _usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "flakehunter"
    # What the validation library of typer puts before each message of its own says nothing to a user.
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return _fail(message[:1].lower() + message[1:], f"see {command} --help", ExitCode.USAGE)


def _fail(message: str, hint: str | None, code: ExitCode) -> int:
    print(f"flakehunter: error: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
    return code
