"""How long to wait before a failed job is tried again."""

FIRST_DELAY_S = 2.0
LONGEST_DELAY_S = 300.0


def delay_s(attempt: int, *, first: float = FIRST_DELAY_S, longest: float = LONGEST_DELAY_S) -> float:
    """Return the pause in seconds before `attempt` (2 is the first retry): it doubles, up to `longest`."""
    if attempt < 2:
        raise ValueError(f"attempt {attempt} is not a retry")
    return min(first * 2.0 ** (attempt - 2), longest)


def delays_s(attempts: int) -> list[float]:
    """Return the pauses before each retry of a job that may run `attempts` times."""
    return [delay_s(attempt) for attempt in range(2, attempts + 1)]
