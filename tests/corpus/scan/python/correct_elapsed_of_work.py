# correct
# why: what has to be fast is no process
import time

from table import build


def test_the_table_is_built_quickly():
    start = time.monotonic()
    table = build(1000)
    elapsed = time.monotonic() - start
    assert table
    assert elapsed < 0.5
