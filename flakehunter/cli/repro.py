"""`flakehunter repro`."""


def repro() -> None:
    """To be written."""
    raise NotImplementedError
