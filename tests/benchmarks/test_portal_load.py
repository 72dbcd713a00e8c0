"""A hundred releases swapped under load: none of the answers fails, none has rows of two releases."""

from __future__ import annotations

import pytest

from benchmarks.portal import load


@pytest.mark.slow
def test_a_hundred_releases_swapped_under_load() -> None:
    told = load.swap(100)
    assert {*told.ends} == {200}, told.fault
    assert told.ends[200] > 1000
