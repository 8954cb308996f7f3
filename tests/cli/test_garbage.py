"""Python's search for garbage, held off while there is much to do."""

import gc

from flakehunter.garbage import few_collections


def test_what_was_made_meanwhile_is_not_looked_at_when_it_is_over() -> None:
    before, looked = gc.get_threshold(), []
    gc.callbacks.append(lambda phase, _info: looked.append(phase))
    try:
        with few_collections():
            made = [[number] for number in range(100_000)]
        after = [[number] for number in range(before[0] // 2)]
    finally:
        gc.callbacks.pop()

    assert (len(made), len(after), looked) == (100_000, before[0] // 2, [])
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
