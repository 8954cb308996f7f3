"""`flakehunter ingest`."""


def ingest() -> None:
    """To be written."""
    raise NotImplementedError
