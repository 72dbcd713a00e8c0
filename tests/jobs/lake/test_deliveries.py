"""Landing: what a delivery is, and that times come from it and never from the clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from jobs.lake import deliveries
from jobs.settings import ROOT, Settings, UserError


def make(settings: Settings, place: str, text: str = "x") -> Path:
    file = settings.landing / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_oldest_delivery_comes_first_and_carries_its_day(settings: Settings) -> None:
    make(settings, "enrollment/110101/2025-09-10_2/b.csv")
    make(settings, "enrollment/110101/2025-09-10_1/a.csv")
    make(settings, "enrollment/110101/2024-09-10_1/c.csv")
    make(settings, "enrollment/110101/2025-09-10_1/.part")
    found = deliveries.scan(settings)
    assert [f.path.name for f in found] == ["c.csv", "a.csv", "b.csv"]
    assert found[0].recorded_at(settings) == datetime(2024, 9, 9, 16, tzinfo=UTC)
    assert found[2].delivery_id == "enrollment/110101/2025-09-10_2"


def test_a_feed_that_is_off_is_not_looked_at(settings: Settings) -> None:
    make(settings, "gossip/110101/2025-09-10_1/a.csv")
    assert deliveries.scan(settings) == []


def test_a_folder_that_is_no_delivery_is_named(settings: Settings) -> None:
    make(settings, "enrollment/110101/september/a.csv")
    with pytest.raises(UserError, match="september"):
        deliveries.scan(settings)


def test_changed_bytes_of_the_same_name_are_another_file(settings: Settings) -> None:
    file = make(settings, "enrollment/110101/2025-09-10_1/a.csv", "one")
    first = deliveries.scan(settings)[0].receipt_id
    assert deliveries.scan(settings)[0].receipt_id == first
    file.write_text("two, longer")
    assert deliveries.scan(settings)[0].receipt_id != first


def test_landing_numbers_deliveries_of_a_day_and_keeps_same_bytes_once(
    settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "a.csv"
    day = date(2025, 9, 10)
    places = []
    for text in ("one", "two", "one"):
        source.write_text(text)
        places.append(deliveries.land(settings, source, "enrollment", "110101", day))
    assert [p.parent.name for p in places] == ["2025-09-10_1", "2025-09-10_2", "2025-09-10_1"]
    assert places[0].read_text() == "one"


DYING = """
import os, shutil, signal, sys
from datetime import date
from pathlib import Path
from jobs import settings
from jobs.lake import deliveries
def die(source, target):
    Path(target).write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
shutil.copyfile = die
site = settings.load("beijing", home=Path(sys.argv[1]))
deliveries.land(site, Path(sys.argv[2]), "enrollment", "110101", date(2025, 9, 10))
"""


def test_a_landing_killed_halfway_leaves_no_delivery(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("half")
    dying = subprocess.run(
        [sys.executable, "-c", DYING, str(settings.home.parent), str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert dying.returncode == -signal.SIGKILL
    home = settings.landing / "enrollment" / "110101"
    assert [*home.iterdir()], "it was killed before it began"
    assert not [*home.glob("2025*")]
    assert deliveries.scan(settings) == []
    assert deliveries.land(settings, file, "enrollment", "110101", date(2025, 9, 10)).read_text() == "half"
    assert [f.delivery_id for f in deliveries.scan(settings)] == ["enrollment/110101/2025-09-10_1"]


@pytest.mark.parametrize(
    ("feed", "sender", "problem"),
    [("gossip", "110101", "gossip"), ("enrollment", "../110101", "sender"), ("enrollment", ".x", "sender")],
)
def test_landing_refuses_what_has_no_place(
    settings: Settings, tmp_path: Path, feed: str, sender: str, problem: str
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("x")
    with pytest.raises(UserError, match=problem):
        deliveries.land(settings, source, feed, sender, date(2025, 9, 10))
    assert not any(settings.landing.rglob("a.csv"))
