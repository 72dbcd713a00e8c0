"""A small finished lake with persons, a held file and two releases, to be copied and damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from jobs import declare
from jobs import settings as site_settings
from jobs.ingest import clean, raw
from jobs.lake import deliveries, persons, receipt_text, runs, spare, tables
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED = "place_demand"


def births(year: int, *, bad: int = 0) -> bytes:
    """A hundred counts, so many of them no number."""
    rows = [
        f"{d},{year - i // 4},{1000 + i}" for i, d in enumerate(("东城区", "西城区", "朝阳区", "丰台区") * 25)
    ]
    rows[:bad] = [f"{row.rpartition(',')[0]},很多" for row in rows[:bad]]
    return ("区,出生年,出生人数\n" + "\n".join(rows) + "\n").encode("gb18030")


def registrations(children: range) -> bytes:
    """Children by their documents; the first one's sex is in no list."""
    contract = declare.load()["school_age_registration"]
    columns = [c for c in contract.columns if c.required or c.name == "sex_code"]
    row = {
        "school_year_start": "2026", "pupil_name": "某某", "id_document_type_code": "A",
        "birth_date": "2020-01-01", "sex_code": "男", "district_code": "110101", "stage_code": "小学",
        "registered_date": "2026-05-01", "is_local_household": "是", "audit_state_code": "审核通过",
    }  # fmt: skip
    rows = [row | {"id_document_number": f"XX{i + 4711:07d}"} for i in children]
    rows[0]["sex_code"] = "7"
    lines = [[c.headings[0] for c in columns], *([r[c.name] for c in columns] for r in rows)]
    return ("\n".join(map(",".join, lines)) + "\n").encode()


FILES = (
    ("births_2024.csv", births(2024, bad=1), date(2025, 1, 13)),
    ("births_2025.csv", births(2025, bad=30), date(2026, 1, 10)),
    ("registered.csv", registrations(range(30)), date(2026, 5, 7)),
    ("more.csv", registrations(range(25, 60)), date(2026, 5, 14)),
)


def land(settings: Settings, name: str, data: bytes, day: date) -> None:
    source = settings.home / "outbox" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    deliveries.land(settings, source, FEED, "110000", day)
    source.unlink()


def take(settings: Settings, spark: SparkSession) -> str:
    """A run without decisions; its id."""
    run_id = runs.open_run(settings, "test").run_id
    raw.write_raw(settings, run_id, FEED)
    clean.clean_rows(settings, spark, run_id, FEED)
    build, number = settings.home / "build.duckdb", len(runs.all_runs(settings))
    with duckdb.connect(str(build)) as db:
        # Each release shows another number: an equal one would not be published.
        db.execute("create table fct_count as select '110101' as district_code, ? as pupils", [number])
    models = {"fct_count": Model("fct_count", scope="district_code", platform="management")}
    made = publication.publish(
        settings,
        run_id,
        build,
        models,
        {"clean_places__birth": 0},
        as_of_date="2026-05-14",
        known_at="2026-05-14T15:59:59+00:00",
        code_version="0",
    )
    build.unlink()
    runs.finish(settings, run_id, runs.PUBLISHED, made.number, tables.pin(settings))
    spare.keep(settings)
    return run_id


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Settings:
    settings = site_settings.load("beijing", tmp_path_factory.mktemp("sound")).prepare()
    for number, file in enumerate(FILES, 1):
        land(settings, *file)
        if number in (2, 4):
            take(settings, spark)
    return settings


@pytest.fixture
def copied(sound: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of that lake for one test."""
    shutil.copytree(sound.home, tmp_path / "home" / sound.site)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDULAKE_SITE", sound.site)
    return site_settings.load()


def rows_of(settings: Settings) -> dict[str, list[str]]:
    """Every row of every table, its names of runs and batches too."""
    names = [*declare.all_tables(), f"raw_{FEED}", persons.IDENTIFIERS, receipt_text.TABLE]
    return {
        table: sorted(
            str(sorted((k, str(v)) for k, v in row.items())) for row in tables.rows(settings, table)
        )
        for table in names
        if tables.open_table(settings, table) is not None
    }


@pytest.fixture(scope="session")
def content() -> Callable[[Settings], dict[str, list[str]]]:
    """`content(settings)`: what `rows_of` says."""
    return rows_of
