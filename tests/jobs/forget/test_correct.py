"""Who a pupil is is set right in every file; the lake then says what it had said of files sent right."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.forget import correct
from jobs.ingest import balance, clean, raw
from jobs.lake import deliveries, identity, links, tables
from jobs.publish import asof
from jobs.settings import Settings, UserError

from .planted import ROLL, card, csv_of, line, others, publish, take, values_found

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WRONG, RIGHT, OTHER = "G" + card(901), "G" + card(902), "G" + card(903)
NAME = "公孙改正"
TERMS = (("2025-09-20", "在籍学生名册_2025-2026-1.csv"), ("2026-03-05", "在籍学生名册_2025-2026-2.csv"))


def roll(number: str, born: str = "20150101", *more: list[str]) -> bytes:
    planted = line(number, NAME, number[1:], 出生日期=born)
    return csv_of([*others(1), *others(11), planted, *more])


def site_of(folder: Path, spark: SparkSession, number: str, born: str) -> Settings:
    settings = site_settings.load("beijing", folder).prepare()
    for day, name in TERMS:
        take(settings, spark, day, "110101", name, roll(number, born))
    links.find_links(settings)
    publish(settings, "2026-03-05.1")
    return settings


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Settings:
    """Two terms of a roll with a pupil under a wrong number and birth date."""
    return site_of(tmp_path_factory.mktemp("wrong"), spark, WRONG, "20150102")


def read_again(settings: Settings, spark: SparkSession, day: str = "2026-06-30") -> None:
    raw.write_raw(settings, f"{day}.1", "enrollment")
    clean.clean_rows(settings, spark, f"{day}.1", "enrollment")
    links.find_links(settings)


def said(settings: Settings) -> list[str]:
    """What the rolls say, without what names the bytes of a file and the batch that took it."""
    rows = tables.rows(settings, ROLL)
    left_out = {"_file_sha256", "_batch_id"}
    return sorted(str({k: v for k, v in row.items() if k not in left_out}) for row in rows)


def test_the_lake_says_what_it_had_said_if_it_had_been_sent_right(
    wrong: Settings, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = copy_of(wrong, tmp_path / "site")
    sound = site_of(tmp_path / "sound", spark, RIGHT, "20150101")
    asked = correct.asked(WRONG, {correct.NUMBER: RIGHT, correct.BIRTH: "2015-01-01"}, [])
    sent = {f.name: f.path.read_bytes() for f in deliveries.scan(site)}
    known = [f.receipt_id for f in deliveries.scan(site)]

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(correct, "_take_again", dies)
        with pytest.raises(KeyboardInterrupt):
            correct.correct(site, asked)
    assert correct.correct(site, asked) == []
    own = identity.keys(site)
    gone = [WRONG, WRONG[1:], identity.token("pupil_national_id", WRONG, own)]
    assert values_found(site, *gone) == []
    assert [f.receipt_id for f in deliveries.scan(site)] == known, "by the hashes of what was sent"
    read_again(site, spark)
    assert said(site) == said(sound)
    assert balance.broken(site) == []
    asks = f"select count(*) from newest_by_scope.{ROLL} where birth_date = '2015-01-01'"
    then = (date(2025, 12, 1), date(2025, 12, 1))
    assert asof.query(site, asks, *then)[1] == asof.query(sound, asks, *then)[1] == [(9,)], "at every date"
    # Sent again by another office, it is corrected before it is read.
    take(site, spark, "2026-04-01", "110106", TERMS[0][1], sent[TERMS[0][1]])
    assert values_found(site, *gone) == []
    (again,) = [r for r in tables.rows(site, "ops__receipt") if r["delivery_id"].endswith("2026-04-01_1")]
    assert (again["outcome"], again["accepted_count"]) == ("accepted", 9)


def test_of_two_pupils_under_one_number_the_one_who_is_named_gets_his(
    wrong: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    site = copy_of(wrong, tmp_path)
    mixed = csv_of([*others(1), *others(11), line(WRONG, "公孙之弟", "", 班级="2班")])
    take(site, spark, "2026-05-20", "110105", "在籍学生名册_2025-2026-2.csv", mixed)
    right = {correct.NUMBER: RIGHT}
    with pytest.raises(UserError, match="2 names"):
        correct.affected(site, correct.asked(WRONG, right, []))
    left = correct.correct(site, correct.asked(WRONG, right, [NAME]))
    assert left, "the other one's lines"
    read_again(site, spark)
    numbers = {r["cells"][0]: r["cells"][1] for r in tables.rows(site, "raw_enrollment")}
    assert (numbers[RIGHT], numbers[WRONG]) == (NAME, "公孙之弟")


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ({}, "nothing is to be corrected"),
        ({correct.NUMBER: WRONG}, "nothing is to be corrected"),
        ({correct.NUMBER: RIGHT[:-1] + ("1" if RIGHT[-1] != "1" else "2")}, "no pupil number"),
        ({correct.BIRTH: "1.1.2015"}, "no date"),
    ],
)
def test_what_cannot_be_right_is_refused(right: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        correct.asked(WRONG, right, [])


def test_the_command_lists_the_lines_and_asks(wrong: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(wrong.home.parent))
    runner, words = CliRunner(), ["correct", WRONG, "--number", RIGHT, "--site", "beijing"]
    listed = runner.invoke(app, [*words, "--dry-run"])
    assert listed.exit_code == 0
    assert all(day in listed.output for day, _ in TERMS)
    assert isinstance(runner.invoke(app, words, input="n\n").exception, UserError)
    nobody = runner.invoke(app, ["correct", OTHER, "--number", RIGHT, "--site", "beijing"])
    assert isinstance(nobody.exception, UserError)
    assert "has this number" in str(nobody.exception)
    assert not (wrong.secrets / "forgotten.json").exists(), "nothing was changed"


def copy_of(site: Settings, folder: Path) -> Settings:
    shutil.copytree(site.home, folder / "beijing")
    return site_settings.load("beijing", folder)
