"""`flakehunter show`."""


def show() -> None:
    """To be written."""
    raise NotImplementedError
