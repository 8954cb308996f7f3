"""Pauses between retries."""

import pytest

from jobkeeper.backoff import delay_s, delays_s


def test_delays_double():
    assert delays_s(5) == [2.0, 4.0, 8.0, 16.0]


def test_delay_is_capped():
    assert delay_s(30) == 300.0


def test_first_attempt_has_no_delay():
    with pytest.raises(ValueError, match="not a retry"):
        delay_s(1)


def test_one_attempt_needs_no_delays():
    assert delays_s(1) == []
