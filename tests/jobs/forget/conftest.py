"""A site in which one pupil stands in many places, made once; a copy of it for each test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs import settings as site_settings
from jobs.lake import links
from jobs.replies import report, report_files
from jobs.settings import Settings

from .planted import (
    LASTING,
    NAME,
    PASSPORT,
    SECOND,
    TEMPORARY,
    csv_of,
    line,
    others,
    publish,
    registration_of,
    take,
    workbook_of,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Settings:
    """The pupil stands in a roll under a temporary number and a passport, in a workbook in a zip under the
    lasting one, in a registration under the passport alone, in a refused row, and in two releases; and in
    what was typed beside the data: a heading, the names of a file, a sheet and a member; and in reports.
    """
    settings = site_settings.load("beijing", tmp_path_factory.mktemp("forget")).prepare()
    planted = line(TEMPORARY, NAME, PASSPORT)
    take(settings, spark, "2025-08-20", "2111000001", "学籍导入表_2025.csv", registration_of(NAME))
    autumn = [*others(1), planted, *others(11)]
    take(
        settings,
        spark,
        "2025-09-20",
        "110101",
        "在籍学生名册_2025-2026-1.csv",
        csv_of(autumn, f"备注 {TEMPORARY}"),
    )
    sound = [one for first in range(21, 81, 10) for one in others(first)]
    refused = [*sound, line(LASTING, NAME, PASSPORT, 出生日期="20990101")]
    take(settings, spark, "2025-09-21", "110105", f"在籍学生名册_2025-2026-1_{NAME}.csv", csv_of(refused))
    spring = [*others(1), line(LASTING, SECOND, PASSPORT), *others(11)]
    take(settings, spark, "2026-03-05", "110101", "在籍学生名册_2025-2026-2.zip", workbook_of(spring))
    assert links.find_links(settings) > 0
    for receipt in report.receipts_of(settings):
        report_files.write(settings, report.gather(settings, receipt))
    for number in (1, 2):
        publish(settings, f"2026-03-05.{number}")
    return settings


@pytest.fixture
def site(built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of that site for one test."""
    shutil.copytree(built.home, tmp_path / "home" / "beijing")
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return site_settings.load("beijing", tmp_path / "home")
