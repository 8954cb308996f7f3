"""`flakehunter detect`."""


def detect() -> None:
    """To be written."""
    raise NotImplementedError
