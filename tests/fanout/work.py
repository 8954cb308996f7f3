"""Functions that the workers of these tests import by name."""

import os
import signal
import time
from pathlib import Path

from flakehunter.errors import DatabaseError


def square(number: int) -> int:
    """Return the square."""
    return number * number


def four_times(text: str) -> list[str]:
    """Return the text four times, each of which takes its place in a pickle."""
    return [text[:1] + text[1:] for _ in range(4)]


def pid_of(number: int) -> tuple[int, int]:
    """Return the item and who worked on it."""
    return number, os.getpid()


def refuse_three(number: int) -> int:
    """Raise for 3 what is no error of flakehunter, for 4 one that is."""
    if number == 3:
        raise ValueError("three is refused")
    if number == 4:
        raise DatabaseError("the server is gone", url="postgresql://host/name", hint="start it")
    return number


def cannot_be_sent(number: int) -> object:
    """Return what no pickle can hold."""
    return (lambda: number) if number == 1 else number


def die_always(number: int) -> int:
    """Kill the worker whenever it works on 2."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(item: tuple[int, str]) -> int:
    """Kill the worker the first time that it works on 2."""
    number, folder = item
    if number == 2:
        try:
            (Path(folder) / "died").touch(exist_ok=False)
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_for_ever(path: str) -> None:
    """Write this worker's pid to a new file in the folder `path`, and never return."""
    folder = Path(path)
    unfinished = folder / f"{os.getpid()}.tmp"
    unfinished.write_text(str(os.getpid()))
    unfinished.rename(folder / f"{os.getpid()}.pid")
    while True:
        time.sleep(60)
