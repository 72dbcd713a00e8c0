"""The day on which a file comes in now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from jobs import clock
from jobs.lake import arrival, withdrawals
from jobs.lake.deliveries import Piece, hand_in
from jobs.settings import Settings

TODAY, NEWEST = date(2026, 12, 1), date(2025, 11, 20)


def test_a_made_up_city_has_the_newest_day_of_its_landing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "today", lambda _: TODAY)
    assert settings.is_synthetic
    assert arrival.day_of_receipt(settings) == TODAY, "nothing has landed yet"
    for day in (date(2025, 9, 1), NEWEST, date(2025, 3, 2)):
        hand_in(settings, "place_demand", "110000", day, [Piece(f"{day}.csv", b"a,b\n1,2\n")])
    assert arrival.day_of_receipt(settings) == NEWEST
    assert arrival.day_of_receipt(replace(settings, is_synthetic=False)) == TODAY
    # A delivery whose day was a slip carries nobody with it once it is withdrawn.
    slip = date(2026, 11, 30)
    folder = hand_in(settings, "place_demand", "110000", slip, [Piece("x.csv", b"a\n1\n")]).folder
    assert arrival.day_of_receipt(settings) == slip
    slipped = folder.relative_to(settings.landing).as_posix()
    withdrawals.add(settings, slipped, "test", "wrong day", [(slipped, slip), ("other", NEWEST)])
    assert arrival.day_of_receipt(settings) == NEWEST
    (settings.landing / "place_demand" / "110000" / "2999-01-01_1").mkdir()
    assert arrival.day_of_receipt(settings) == NEWEST
