"""Landing: what a delivery is, and that times come from it and never from the clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import clock, files
from jobs.declare import reasons
from jobs.lake import deliveries
from jobs.lake.deliveries import Piece
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


def aside(settings: Settings) -> dict[str, str]:
    """Place -> code of all that is left aside."""
    return {one.place: reasons.code_of(one.reason) for one in deliveries.survey(settings).left_aside}


def test_all_that_is_no_delivery_is_left_aside_and_named(settings: Settings) -> None:
    tomorrow = clock.today(settings.timezone) + timedelta(days=1)
    sound = make(settings, "enrollment/110101/2025-09-10_1/a.csv")
    make(settings, "enrollment/110101/.part-abc/delivery/a.csv")
    left = {
        "loose.csv": "aside_loose",
        "enrollment/loose.csv": "aside_loose",
        "enrollment/110101/loose.csv": "aside_loose",
        "enrollment/110101/.DS_Store": "aside_hidden",
        "enrollment/110101/2025-09-10_1/.hidden.csv": "aside_hidden",
        "enrollment/110101/2025-09-10_1/~$a.xlsx": "aside_hidden",
        "enrollment/110101/2025-09-10_1/Thumbs.db": "aside_hidden",
        "enrollment/110101/2025-09-10_1/deeper/a.csv": "aside_deep",
        "enrollment/110101/september/a.csv": "aside_delivery",
        "enrollment/110101/2025-13-01_1/a.csv": "aside_delivery",
        "enrollment/110101/0001-01-01_1/a.csv": "aside_delivery",
        "enrollment/110101/2025-09-10_0/a.csv": "aside_delivery",
        "enrollment/110101/9999-12-31_1/a.csv": "aside_future",
        f"enrollment/110101/{tomorrow}_1/a.csv": "aside_future",
        "enrollment/东城 区/2025-09-10_1/a.csv": "aside_sender",
        "gossip/110101/2025-09-10_1/a.csv": "aside_feed",
    }
    of_folders = {"aside_deep", "aside_delivery", "aside_future", "aside_sender"}
    expected = {}
    for place, why in left.items():
        make(settings, place)
        expected[
            "gossip" if why == "aside_feed" else place.rpartition("/")[0] if why in of_folders else place
        ] = why
    expected["enrollment/东城 区"] = expected.pop("enrollment/东城 区/2025-09-10_1")
    (sound.parent / "link.csv").symlink_to("/etc/hostname")
    (settings.landing / "enrollment" / "110102").symlink_to(sound.parents[1])
    expected |= {"enrollment/110101/2025-09-10_1/link.csv": "aside_link", "enrollment/110102": "aside_link"}
    with make(settings, "enrollment/110101/2025-09-10_1/sparse.csv").open("wb") as sparse:
        sparse.truncate(3 * 1024**3)
    expected["enrollment/110101/2025-09-10_1/sparse.csv"] = "file_too_large"
    assert [f.path for f in deliveries.scan(settings)] == [sound]
    assert aside(settings) == expected
    assert "sparse.csv" not in (settings.restricted / "hashes.json").read_text(), "too large, and read"


def test_a_day_until_today_is_taken(settings: Settings) -> None:
    make(settings, f"enrollment/110101/{clock.today(settings.timezone)}_1/a.csv")
    assert len(deliveries.scan(settings)) == 1
    assert aside(settings) == {}


# Bytes of a name on the disk → as people read it.
NAMES = {
    b"\xb3\xf6.csv": "出.csv",
    "在籍学生名册.csv".encode("gbk"): "在籍学生名册.csv",
    b"\xff\xfe.csv": "%FF%FE.csv",
    b"a\nb\x1b[31m.csv": "a%0Ab%1B[31m.csv",
    "a\u202etxt.csv".encode(): "a%E2%80%AEtxt.csv",
    "全角　空格 [1].csv".encode(): "全角　空格 [1].csv",
    b"..csv..": None,
    b"-rf": "-rf",
}


def test_a_name_of_any_bytes_is_taken_under_a_readable_one(settings: Settings, tmp_path: Path) -> None:
    folder = make(settings, "enrollment/110101/2025-09-10_1/a.csv").parent
    for number, raw in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + raw)).write_text(f"{number}")
    found = {file.name: file for file in deliveries.scan(settings)}
    assert found.keys() == {"a.csv", *(name for name in NAMES.values() if name)}
    for number, name in enumerate(NAMES.values()):
        if name:
            path = deliveries.located(settings, found[name].delivery_id, name)
            assert (path, path.read_text()) == (found[name].path, f"{number}")
            assert files.readable(name) == name
    assert aside(settings) == {"enrollment/110101/2025-09-10_1/..csv..": "aside_hidden"}
    # Handed in, it lies under its readable name; so do two names that read alike, side by side.
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb3\xf6.csv"))
    source.write_text("0")
    assert (
        deliveries.land(settings, source, "enrollment", "110101", date(2025, 9, 11)) == found["出.csv"].path
    )
    source.write_text("another")
    landed = deliveries.land(settings, source, "enrollment", "110101", date(2025, 9, 11))
    assert landed.name == "出.csv"
    (folder / "出.csv").write_text("the same name in UTF-8")
    names = [f.name for f in deliveries.scan(settings) if f.path.parent == folder and f.name.startswith("出")]
    assert len(names) == 2
    assert "出.csv" in names


def test_a_name_that_gets_too_long_by_being_readable_is_cut(settings: Settings, tmp_path: Path) -> None:
    raw = ("学生体质健康" * 20).encode("gbk") + b".csv"
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw))
    source.write_text("x")
    landed = deliveries.land(settings, source, "enrollment", "110101", date(2025, 9, 11))
    assert len(os.fsencode(landed.name)) <= 255
    assert landed.name.startswith("学生体质健康")
    assert landed.suffix == ".csv"


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
from jobs.lake.deliveries import Piece
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
    assert [f.name for f in home.iterdir()] == ["2025-09-10_1"], "what the killed process left stays"


def test_who_hands_in_at_once_takes_each_number_once(settings: Settings) -> None:
    """Threads stand for processes: each opens the lock by itself, as a process does."""

    def some(name: str) -> None:
        for number in range(12):
            for pieces in (
                [Piece(f"{name}-{number}.csv", b"own")],
                [Piece(f"{number}.csv", b"alike"), Piece("beside.csv", b"")],
            ):
                deliveries.hand_in(settings, "enrollment", "110101", date(2025, 9, 10), pieces)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(some, "abcd"))
    found = deliveries.scan(settings)
    own = [f"{name}-{number}.csv" for name in "abcd" for number in range(12)]
    alike = [f"{number}.csv" for number in range(12)]
    assert sorted(f.name for f in found) == sorted([*own, *alike, *["beside.csv"] * 12])
    assert {f.delivery_no for f in found} == set(range(1, 4 * 12 + 12 + 1))
    assert not [*settings.landing.rglob(".part-*")]


def test_pieces_lie_in_one_delivery_and_once(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "spooled").write_bytes(b"two")
    pieces = [Piece("a.csv", b"one"), Piece("b.csv", tmp_path / "spooled")]
    day = date(2025, 9, 10)
    first = deliveries.hand_in(settings, "enrollment", "110101", day, pieces)
    assert first.is_new
    assert {f.name: f.read_bytes() for f in first.folder.iterdir()} == {"a.csv": b"one", "b.csv": b"two"}
    again = deliveries.hand_in(settings, "enrollment", "110101", day, pieces[::-1])
    assert again == deliveries.Handed(first.folder, False)
    more = deliveries.hand_in(settings, "enrollment", "110101", day, [*pieces, Piece("c.csv", b"three")])
    assert more.folder.name == "2025-09-10_2"
    with pytest.raises(UserError, match="two files"):
        deliveries.hand_in(settings, "enrollment", "110101", day, [*pieces, Piece("a.csv", b"else")])


def test_a_day_may_have_more_deliveries_than_four_digits_count(settings: Settings) -> None:
    make(settings, "enrollment/110101/2025-09-10_9999/a.csv")
    day = date(2025, 9, 10)
    handed = deliveries.hand_in(settings, "enrollment", "110101", day, [Piece("b.csv", b"x")])
    assert handed.folder.name == "2025-09-10_10000"
    assert [f.delivery_no for f in deliveries.scan(settings)] == [9999, 10000]


def test_what_is_handed_in_is_on_the_disk_before_it_is_said_to_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before it appears, every folder above it after; also where another process put it there."""
    synced: list[tuple[str, bool]] = []

    def noted(path: Path) -> None:
        synced.append((path.name, bool([*settings.landing.glob("*/*/2025*")])))
        files.fsync(path)

    monkeypatch.setattr(deliveries, "fsync", noted)
    for is_new in (True, False):
        synced.clear()
        handed = deliveries.hand_in(
            settings, "enrollment", "110101", date(2025, 9, 10), [Piece("a.csv", b"x")]
        )
        assert handed.is_new == is_new
        if is_new:
            assert synced[:2] == [("a.csv", False), ("delivery", False)]
        above = ["2025-09-10_1", "110101", "enrollment", "landing", "beijing"]
        assert synced[-5:] == [(name, True) for name in above]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"feed": "gossip"}, "gossip"),
        ({"sender": "../110101"}, "sender"),
        ({"sender": ".x"}, "sender"),
        ({"name": ".hidden.csv"}, "hidden"),
        ({"name": "~$a.xlsx"}, "hidden"),
        ({"size": 3 * 1024**3}, "512 MB"),
        ({"received": date(2205, 11, 22)}, "today is"),
        ({"received": date(9999, 12, 31)}, "today is"),
        ({"received": date(1, 1, 1)}, "today is"),
    ],
)
def test_landing_refuses_what_has_no_place(
    settings: Settings, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    given: dict[str, Any] = {
        "feed": "enrollment",
        "sender": "110101",
        "name": "a.csv",
        "received": date(2025, 9, 10),
    } | change
    source = tmp_path / given["name"]
    with source.open("w") as file:
        file.write("x")
        file.truncate(given.get("size", 1))
    with pytest.raises(UserError, match=problem):
        deliveries.land(settings, source, given["feed"], given["sender"], given["received"])
    assert not any(settings.landing.rglob("*.*"))
