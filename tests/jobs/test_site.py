"""A site's own file and data: what it may say, how a mistake is told, and a site from almost nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pydantic import BaseModel

from jobs import declare, site
from jobs import settings as site_settings
from jobs.decide.safety.read import calendar
from jobs.declare import dictionary
from jobs.declare.examples import example_rows
from jobs.declare.odcs import open_contract
from jobs.declare.template import write_template
from jobs.declare.words import explain
from jobs.lake import deliveries, identity
from jobs.publish import views
from jobs.run import command, doctor
from jobs.screen import Screen
from jobs.settings import EXPECTATIONS, FEEDS, ROOT, SERVICES, Settings, UserError, load
from jobs.spark import server

HEAD = "title_zh: 某市\ntitle_en: A city\ntimezone: Asia/Shanghai\n"
EMPTIEST = HEAD + "feeds: [place_demand, campus_safety]\nservices: [places, safety]\n"
REAL = """real_input:
  - file: here.yaml
    feed: resources
    sender: x
    received: 2025-01-01
"""


def mistakes(folder: Path, text: str) -> list[str]:
    """What is wrong with a site's file."""
    (folder / "here.yaml").write_text(text, encoding="utf-8")
    told, problems = site.read(folder / "here.yaml", FEEDS, SERVICES, EXPECTATIONS / "codes")
    assert (told is None) == bool(problems)
    return problems


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A site of five lines in a folder outside the checkout."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "third.yaml").write_text(EMPTIEST, encoding="utf-8")
    monkeypatch.setenv("EDULAKE_SITES", str(tmp_path / "sites"))
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDULAKE_SITE", "third")
    return load().prepare()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD, ["`feeds` is missing", "`services` is missing"]),
        ("", ["it has no settings"]),
        (EMPTIEST + "timezone: Asia/Tokyo\n", ["`timezone` stands on line 3 and again on line 6"]),
        (
            EMPTIEST + "places:\n  entry_grade: K\n",
            [
                "line 7: there is no grade `K`: K1, K2, K3, P1, P2, P3, P4, P5, P6, J1, J2, J3, S1, S2, S3",
            ],
        ),
        (EMPTIEST + "small_cell: -1\n", ["line 6: `small_cell`: input should be greater than or equal to 0"]),
        (
            EMPTIEST + "small_cell: 5\nprotection_width: 5\n",
            [
                "line 7: `protection_width`: must be less than small_cell, 5:"
                " a hidden count has no more values than that"
            ],
        ),
        (
            EMPTIEST.replace("[places, safety]", "[placez, safety]").replace("Shanghai", "Shangha"),
            [
                "line 5: there is no service `placez`; did you mean `places`?",
                "line 3: there is no time zone `Asia/Shangha`",
            ],
        ),
        (
            EMPTIEST + REAL.replace("sender", "senderr"),
            [
                "`real_input.0.sender` is missing",
                "line 9: unknown setting `senderr` in real_input.0; did you mean `sender`?",
            ],
        ),
        (
            EMPTIEST + REAL,
            ["line 8: the feed `resources` of real_input is not on"],
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_nearest_word(
    text: str, told: list[str], tmp_path: Path
) -> None:
    assert mistakes(tmp_path, text) == told


def test_a_file_that_is_not_there_or_lacks_a_column_is_told(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("date,is_open\n2025-09-01,1\n", encoding="utf-8")
    (tmp_path / "map.json").write_text('{"features": [{"geometry": {"type": "Polygon"}}]}', encoding="utf-8")
    found = mistakes(tmp_path, EMPTIEST + "calendar: days.csv\ndistricts: none.csv\nmap: map.json\n")
    assert found == [
        f"line 7: `districts`: there is no file {tmp_path / 'none.csv'}",
        "line 6: `calendar`: days.csv lacks the column is_school_day",
        "line 8: `map`: map.json is no GeoJSON FeatureCollection of features with `id` and geometry",
    ]


def test_every_setting_is_described_and_read() -> None:
    """A setting that nothing reads is refused: it would be written in vain."""
    parts: list[type[BaseModel]] = [
        site.Site,
        site.Places,
        site.RealInput,
        site.SignIn,
        site.Portal,
        site.Door,
    ]
    rooms = [*(ROOT / "jobs").rglob("*.py"), *(ROOT / "portal").rglob("*.py")]
    readers = [f for f in rooms if f.name not in ("settings.py", "site.py")]
    texts = "\n".join(f.read_text("utf-8") for f in readers)
    for part in parts:
        for name, field in part.model_fields.items():
            assert field.description, name
            read = {"synthetic": "is_synthetic", "persons": "holds_persons"}.get(name, name)
            # Two lists are read under the names of the code lists that they are.
            code = site.CODE_LISTS.get(name)
            assert f".{read}" in texts or (code and f'"{code}"' in texts), name


def test_a_site_of_five_lines_loads_and_lands(third: Settings, tmp_path: Path) -> None:
    assert third.gaps == (
        "no `districts`: any district code is kept as sent, and has no name",
        "no `calendar`: Monday to Friday count as school days",
    )
    source = tmp_path / "births.csv"
    source.write_text("区,出生年,出生人数\n某区,2020,1200\n", encoding="utf-8")
    where = deliveries.land(third, source, "place_demand", "319900", date(2025, 3, 1))
    assert where.is_relative_to(third.landing)
    assert [file.sender for file in deliveries.pending(third)] == ["319900"]


def test_a_site_without_districts_keeps_every_code_and_one_with_them_its_own(
    third: Settings, tmp_path: Path
) -> None:
    (column,) = (c for c in declare.load()["hotline_case"].columns if c.codes == "district")
    assert declare.code_list("district").rows == ()
    assert declare.is_open(column)
    assert declare.sender_name("110105") is None
    head = (EXPECTATIONS / "codes" / "district.csv").read_text("utf-8")
    (tmp_path / "sites" / "own.csv").write_text(
        head + "990101,朝阳区,Chaoyang,990201,,,,\n", encoding="utf-8"
    )
    third.file.write_text(EMPTIEST + "districts: own.csv\n", encoding="utf-8")
    load()
    assert declare.code_list("district").spellings()["朝阳区"] == "990101"
    assert not declare.is_open(column)
    assert declare.sender_today("990201") == "990101"
    assert declare.sender_name("990101") == "朝阳区"
    load("beijing")
    assert declare.sender_today("110228") == "110118"
    assert declare.sender_name("110000") == "北京市"


def test_templates_and_words_do_without_the_lists_of_a_site(third: Settings, tmp_path: Path) -> None:
    for contract in declare.load().values():
        write_template(contract, tmp_path / f"{contract.dataset}.xlsx")
        assert open_contract(contract).name == contract.dataset
        assert len(example_rows(contract)) == 2
        for column, rule, _ in contract.row_rules():
            assert explain(contract, column, rule, is_refused=True).do


NOTHING_PINNED = {"as_of_date": "2025-11-20", "known_at": "2025-11-20T15:59:59+00:00", "tables": {}}


def test_the_marts_of_a_site_without_districts_have_an_empty_table_of_them(third: Settings) -> None:
    with duckdb.connect() as connection:
        views.create_views(connection, NOTHING_PINNED)
        found = connection.sql("from standards.district")
        assert "in_central_six" in found.columns
        assert found.fetchall() == []
        assert load("beijing").districts is not None
        views.create_views(connection, NOTHING_PINNED)
        assert len(connection.sql("from standards.district").fetchall()) == 16


def test_without_a_calendar_weekdays_are_school_days(third: Settings) -> None:
    days = calendar(third).set_index("date")["is_open"]
    assert days[pd.Timestamp("2025-11-21")]
    assert not days[pd.Timestamp("2025-11-22")]
    holiday = pd.Timestamp("2025-10-01")
    assert days[holiday]
    assert not calendar(load("beijing")).set_index("date")["is_open"][holiday]


def test_a_site_with_persons_asks_for_its_key_before_anything_starts(
    third: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no key to make them opaque") as told:
        identity.check(third)
    assert "persons: false" in told.value.way_out
    (key,) = (check for check in doctor.report(third) if check.name == "persons' key")
    assert key.state == "missing"
    with pytest.raises(UserError, match="no key to make them opaque"):
        command.run(third, 0.01, 7, Screen(quiet=True))
    assert list(third.landing.iterdir()) == []
    assert not server.running(third)
    file = tmp_path / "key"
    file.write_bytes(b"k" * 32)
    file.chmod(0o600)
    monkeypatch.setenv("EDULAKE_HMAC_KEY_FILE", str(file))
    identity.check(third)
    file.chmod(0o644)
    with pytest.raises(UserError, match="open to others"):
        identity.check(third)
    monkeypatch.delenv("EDULAKE_HMAC_KEY_FILE")
    for name in ("beijing", "nyc"):
        identity.check(load(name))


def test_doctor_tells_gaps_and_unknown_variables(third: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_STORAGES", "/elsewhere")
    notes = [check.found for check in doctor.report(third) if check.state == "note"]
    assert set(third.gaps) <= set(notes)
    assert any("did you mean `EDULAKE_STORAGE`?" in note for note in notes)


def test_the_dictionary_is_the_same_at_every_site(third: Settings) -> None:
    there = dictionary.pages()
    load("beijing")
    assert dictionary.pages() == there
    assert site_settings.known_sites() == ["beijing", "nyc", "third", "us"]
