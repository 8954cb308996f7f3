"""Run the command line with `python -m flakehunter`."""

from flakehunter.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
