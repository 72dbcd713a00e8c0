"""Each kind of damage is found, by name, and mended to equal tables, or named with what is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import damage as cli
from jobs.cli import main as cli_main
from jobs.files import sha256
from jobs.lake import persons, spare, tables
from jobs.publish import release
from jobs.repair import check, mend
from jobs.repair.finding import MENDS, WRONG
from jobs.settings import Settings, UserError

BIRTH, PUPIL = "clean_places__birth", "clean_places__school_age_registration"
LOG = "_delta_log"
Content = Callable[[Settings], dict[str, list[str]]]


def table(name: str) -> Callable[[Settings], Path]:
    return lambda settings: tables.path(settings, name)


def data(name: str) -> Callable[[Settings], Path]:
    """The largest file of a table."""
    return lambda settings: max(
        (Path(uri) for uri in opened(settings, name)), key=lambda file: (file.stat().st_size, file.name)
    )


def opened(settings: Settings, name: str) -> list[str]:
    return tables.files(tables.open_table(settings, name))


def log(name: str, version: int) -> Callable[[Settings], Path]:
    return lambda settings: tables.path(settings, name) / LOG / f"{version:020d}.json"


def landed(name: str) -> Callable[[Settings], Path]:
    return lambda settings: next(settings.landing.rglob(name))


def of_release(name: str) -> Callable[[Settings], Path]:
    return lambda settings: settings.releases / name


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def halve(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One byte, and the times as they were."""
    status = path.stat()
    path.chmod(0o600)
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 0xFF
    path.write_bytes(changed)
    import os

    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def garble(path: Path) -> None:
    path.chmod(0o600)
    path.write_text("garbage")


@dataclass(frozen=True)
class Kind:
    """Damage, what is found of it (wrong, and a part of the place), and what stays wrong after a repair."""

    where: Callable[[Settings], Path]
    how: Callable[[Path], None]
    wrong: str
    place: str
    left: str | None = None
    release: int | None = 2


KINDS: dict[str, Kind] = {
    "a clean file deleted": Kind(data(BIRTH), delete, "missing", BIRTH),
    "a clean file cut": Kind(data(BIRTH), halve, "size", BIRTH),
    "a byte of a clean file": Kind(data(PUPIL), flip, "changed", PUPIL),
    "a byte of a general file": Kind(data(f"{PUPIL}__general"), flip, "changed", "__general"),
    "a byte of raw": Kind(data("raw_place_demand"), flip, "changed", "raw_place_demand"),
    "raw deleted": Kind(table("raw_place_demand"), delete, "missing", "raw_place_demand"),
    "a clean table deleted": Kind(table(PUPIL), delete, "missing", PUPIL),
    "a log entry deleted": Kind(log(BIRTH, 0), delete, "missing", BIRTH),
    "a log entry garbled": Kind(log(PUPIL, 0), garble, "size", PUPIL),
    "a byte of a log entry": Kind(log("ops__receipt", 1), flip, "changed", "ops__receipt"),
    "the end of a log deleted": Kind(log("ops__receipt", 1), delete, "missing", "ops__receipt"),
    "a log deleted": Kind(lambda s: tables.path(s, BIRTH) / LOG, delete, "missing", BIRTH),
    "receipts deleted": Kind(table("ops__receipt"), delete, "missing", "ops__receipt"),
    "refused rows deleted": Kind(table("ops__refused_row"), delete, "missing", "ops__refused_row"),
    "runs deleted": Kind(table("ops__run"), delete, "missing", "ops__run"),
    "identifiers deleted": Kind(table(persons.IDENTIFIERS), delete, "missing", persons.IDENTIFIERS),
    "a byte of an ops table": Kind(data("ops__check"), flip, "changed", "ops__check"),
    "a landed file deleted": Kind(landed("more.csv"), delete, "missing", "more.csv", left="missing"),
    "a byte of a landed file": Kind(landed("more.csv"), flip, "changed", "more.csv", left="missing"),
    "landing deleted": Kind(
        lambda s: s.landing / "place_demand", delete, "missing", "landing/", left="missing"
    ),
    "the pointer garbled": Kind(of_release("CURRENT"), garble, "pointer", "CURRENT"),
    "the pointer deleted": Kind(of_release("CURRENT"), delete, "missing", "CURRENT"),
    "a manifest garbled": Kind(of_release("2/manifest.json"), garble, "size", "2/manifest.json"),
    "a byte of an old manifest": Kind(of_release("1/manifest.json"), flip, "changed", "1/manifest.json"),
    "a city file deleted": Kind(of_release("2/city.duckdb"), delete, "missing", "2/city", release=1),
    "a byte of a public file": Kind(of_release("2/public.duckdb"), flip, "changed", "2/public", release=1),
    "an old release's file": Kind(of_release("1/full.duckdb"), halve, "size", "1/full"),
    "the release deleted": Kind(of_release("2"), delete, "missing", "releases/2", release=1),
    "all releases deleted": Kind(lambda s: s.releases, delete, "missing", "releases/", release=None),
    "the note of the second copy": Kind(
        lambda s: s.restricted / "spare" / "known.json", garble, "unreadable", "known.json"
    ),
    "a note of retaken files": Kind(
        lambda s: s.run / "batches" / "place_demand" / "taken_again", garble, "unreadable", "taken_again"
    ),
}
# Without the second copy: what an earlier version made, or somebody removed.
WITHOUT: dict[str, Kind] = {
    "a clean file cut": Kind(data(BIRTH), halve, "size", BIRTH),
    "a clean log garbled": Kind(log(PUPIL, 0), garble, "unreadable", PUPIL),
    "a raw log garbled": Kind(log("raw_place_demand", 0), garble, "unreadable", "raw_place_demand"),
    "a clean table deleted": Kind(table(PUPIL), delete, "short", PUPIL),
    "refused rows deleted": Kind(table("ops__refused_row"), delete, "short", "ops__refused_row"),
}
# Repaired in every run of the tests; the others in slow ones.
MAIN = {"a byte of a clean file", "raw deleted", "a log entry garbled", "receipts deleted"}
MAIN |= {"a byte of a landed file", "the pointer garbled", "a city file deleted"}


def tampered(settings: Settings, kind: Kind) -> list[check.Finding]:
    where = kind.where(settings)
    if kind.how is garble:
        where.parent.mkdir(exist_ok=True)
        where.touch()
    kind.how(where)
    found = check.wrong(check.examine(settings))
    assert any(one.wrong == kind.wrong and kind.place in one.place for one in found), found
    return found


def test_a_sound_lake_has_no_finding_and_is_not_changed(sound: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in sound.home.rglob("*")}
    assert check.examine(sound) == []
    assert check.examine(sound, quick=True) == []
    assert {path: path.stat().st_mtime_ns for path in sound.home.rglob("*")} == before


def test_each_kind_is_found_and_told(copied: Settings, tmp_path: Path) -> None:
    """On one lake, each damage undone before the next."""
    saved = tmp_path / "saved"
    shutil.copytree(copied.home, saved)
    for name, kind in KINDS.items():
        found = tampered(copied, kind)
        assert all(one.wrong in WRONG and one.mend in MENDS for one in found), name
        shutil.rmtree(copied.home)
        shutil.copytree(saved, copied.home)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in MAIN else pytest.mark.slow) for n in KINDS]
)
def test_it_is_mended_or_named(sound: Settings, copied: Settings, content: Content, name: str) -> None:
    kind, expected = KINDS[name], content(sound)
    tampered(copied, kind)
    mended = mend.repair(copied)
    assert {one.wrong for one in mended.left} == ({kind.left} if kind.left else set()), mended
    assert check.wrong(check.examine(copied)) == mended.left
    assert content(copied) == expected
    current = release.current(copied)
    assert (current.number if current else None) == kind.release
    if current:
        release.verify(current)
    again = mend.repair(copied)
    assert again.left == mended.left


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT)
def test_it_is_mended_without_a_second_copy(
    sound: Settings, copied: Settings, content: Content, name: str
) -> None:
    kind, expected = WITHOUT[name], content(sound)
    spare.forget(copied)
    tampered(copied, kind)
    assert mend.repair(copied).left == []
    assert content(copied) == expected


def test_a_lost_original_comes_back_when_it_is_sent_again(
    sound: Settings, copied: Settings, content: Content
) -> None:
    from .conftest import FILES, land

    where = landed("more.csv")(copied)
    flip(where)
    mended = mend.repair(copied)
    assert [one.place for one in mended.left] == [f"landing/{where.relative_to(copied.landing)}"]
    assert not where.exists(), "changed bytes are not taken as a new file"
    land(copied, *FILES[3])
    assert mend.repair(copied).left == []
    assert where.read_bytes() == FILES[3][1]
    assert content(copied) == content(sound)


def test_what_is_lost_in_landing_and_raw_is_named(copied: Settings) -> None:
    delete(copied.landing / "place_demand")
    delete(data("raw_place_demand")(copied))
    mended = mend.repair(copied)
    assert any("110000 must send it again" in line for line in mended.done)
    assert {one.wrong for one in mended.left} == {"missing", "short"}


def test_commands_say_what_is_wrong_and_how_it_ends(copied: Settings) -> None:
    assert CliRunner().invoke(cli.app, ["check", "--quick"]).exit_code == 0
    file = data(BIRTH)(copied)
    flip(file)
    garble(copied.releases / "CURRENT")
    quick = CliRunner().invoke(cli.app, ["check", "--quick"], env={"COLUMNS": "80"})
    assert (quick.exit_code, "CURRENT" in quick.output) == (1, True), quick
    whole = CliRunner().invoke(cli.app, ["check"], env={"COLUMNS": "80"})
    assert whole.exit_code == 1
    text = "".join(whole.output.replace("│", " ").split())
    assert "内容被改动" in text
    assert "lakerepair" in text
    shown = CliRunner().invoke(cli_main.app, ["status"])
    assert (shown.exit_code, "lake repair" in " ".join(shown.output.split())) == (0, True)
    with pytest.raises(UserError, match="pointer") as raised:
        release.current(copied)
    assert "lake repair" in raised.value.way_out
    repaired = CliRunner().invoke(cli.app, ["repair"])
    assert repaired.exit_code == 0, repaired.output
    assert CliRunner().invoke(cli.app, ["check"]).exit_code == 0
    assert sha256(copied.releases / "2" / "manifest.json")


@pytest.mark.parametrize("how", ["log", "table"])
def test_a_table_that_is_gone_never_looks_empty(copied: Settings, how: str) -> None:
    from datetime import date

    from jobs.publish import asof

    where = tables.path(copied, BIRTH)
    delete(where / LOG if how == "log" else where)
    with pytest.raises(UserError, match=f"the log of table {BIRTH} is gone"):
        asof.query(copied, f"select count(*) from {BIRTH}", date(2026, 5, 14))
