"""Start the command line: `flakehunter`, or `python -m flakehunter`."""

import gc


def main() -> int:
    """Run the command line and return the exit code."""
    # A collection finds nothing to free while modules load; without them `flakehunter --help` starts 20 ms earlier.
    gc.disable()
    from flakehunter.cli.app import main as run

    gc.enable()
    try:
        return run()
    finally:
        # On its way out Python looks for garbage in all there is, for a tenth of a second and more; it goes anyway.
        gc.freeze()


if __name__ == "__main__":
    raise SystemExit(main())
