"""A lake and a checkout in folders of any name: blanks, Chinese, `#`, `%`, quotes; in cron's environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from typer.testing import CliRunner

from jobs import declare
from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.lake import deliveries, tables
from jobs.settings import ROOT, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# All that a folder's name may hold and that some library, shell or file of settings takes for its own sign.
ODD = "教 育#1 100%;'(a)\"&$x+=,b`<c>!~@:e-湖％"
CHECKS = "ops__check"


def cron(**more: str) -> dict[str, str]:
    """What cron and systemd give a command: no locale, no home. Nothing outside is to be reached."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return kept | nowhere | {"LC_ALL": "C", "LANG": "C", "PYTHONPATH": str(ROOT)} | more


def called(*words: str, env: dict[str, str], checkout: Path = ROOT) -> str:
    """What a command prints in a process of its own; it must end well."""
    command = [str(checkout / ".venv" / "bin" / "python") if checkout != ROOT else sys.executable]
    done = subprocess.run(
        [*command, "-P", "-m", "jobs", *words], cwd=checkout, env=env, capture_output=True, check=False
    )
    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, f"{' '.join(words)}\n{output}"
    return output


@pytest.fixture(scope="module")
def odd(lake: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished lake in a folder of an odd name."""
    home = tmp_path_factory.mktemp("odd") / ODD
    shutil.copytree(lake.home, home / lake.site)
    return home


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["sql", "select count(*) from fct_fitness_result"],
        ["sql", "--lake", "select count(*) from ops__receipt"],
        ["sql", "--lake", "select count(*) from clean_enrollment__pupil_roll"],
        ["asof", "2025-10-01", "select count(*) from clean_enrollment__pupil_roll"],
        ["asof", "2025-10-01", "select count(*) from dim_school"],  # by dbt
        ["feed", "receipts", "--limit", "3"],
        ["safety", "plan", "--visits", "3"],
    ],
)
def test_questions_are_answered_as_in_a_plain_folder(
    lake: Settings, odd: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    said = []
    for home in (lake.home.parent, odd):
        monkeypatch.setenv("EDULAKE_HOME", str(home))
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        said.append(done.output.replace(str(home), "HOME"))
    assert said[0] == said[1]
    assert len(said[0]) > 50


def test_spark_delta_and_duckdb_write_and_read_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark: SparkSession
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / ODD))
    settings = site_settings.load("beijing").prepare()
    row = dict.fromkeys(declare.table_columns(CHECKS)) | {"run_id": "2025-11-20.1", "check_name": "rs"}
    tables.append_rows(settings, CHECKS, [row], "1", "2025-11-20.1")
    of_spark = tables.read(spark, settings, CHECKS).replace("rs", "spark")
    tables.append(of_spark, settings, CHECKS, "2", "2025-11-20.1")
    found = tables.open_table(settings, CHECKS)
    assert found is not None
    files = tables.files(found)
    assert sorted(map(str, tables.path(settings, CHECKS).glob("*.parquet"))) == files
    assert len(files) == 2
    with duckdb.connect() as db:
        tables.create_views(db, settings, [CHECKS])
        assert sorted(db.execute(f"select check_name from {CHECKS}").fetchall()) == [("rs",), ("spark",)]
    found.update(predicate="check_name = 'rs'", new_values={"check_name": "changed"})
    names = sorted(row["check_name"] for row in tables.rows(settings, CHECKS))
    assert names == ["changed", "spark"]
    assert {path.name for path in tmp_path.iterdir()} == {ODD}, "written beside the lake"


def test_a_file_of_a_chinese_name_is_landed_and_told_of_without_a_locale(tmp_path: Path) -> None:
    env = cron(EDULAKE_HOME=str(tmp_path / "湖"))
    file = tmp_path / "出生人口 [b][2025] %41?.csv"
    file.write_text("区,出生年,出生人数\n东城区,2025,98\n", encoding="utf-8")
    words = ("land", str(file), "--feed", "place_demand", "--sender", "110000", "--received", "2025-12-01")
    assert file.name in called(*words, env=env)
    (landed,) = deliveries.scan(site_settings.load("beijing", home=tmp_path / "湖"))
    assert (landed.name, landed.received) == (file.name, date(2025, 12, 1))
    assert str(tmp_path / "湖" / "beijing") in called("status", env=env)


@pytest.mark.slow
def test_a_run_in_an_odd_folder_without_a_locale_behind_a_dead_proxy(tmp_path: Path) -> None:
    home = tmp_path / ODD
    env = cron(EDULAKE_HOME=str(home))
    assert "fct_fitness_result" in called("run", "--scale", "0.002", env=env)
    assert "Nothing new" in called("run", env=env)
    assert "published" in called("status", env=env)
    assert "count" in called("sql", "--lake", "select count(*) from decision_safety__risk", env=env)
    assert {path.name for path in tmp_path.iterdir()} == {ODD}, "written beside the lake"
    assert {path.name for path in home.iterdir()} == {"beijing", "site"}


@pytest.mark.slow
def test_a_run_of_a_checkout_in_an_odd_folder(tmp_path: Path) -> None:
    checkout = tmp_path / ODD.replace(":", "") / "edulake"
    left = {ROOT / name for name in (".git", ".venv", ".edulake", "portal/node_modules", "tests", "docs")}
    shutil.copytree(
        ROOT,
        checkout,
        ignore=lambda folder, names: [name for name in names if Path(folder, name) in left],
        symlinks=True,
    )
    (checkout / ".venv").symlink_to(sys.prefix)
    env = cron(PYTHONPATH=str(checkout))
    assert "fct_fitness_result" in called("run", "--scale", "0.002", env=env, checkout=checkout)
    query = "select count(*) from dim_school"
    of_release = called("sql", query, env=env, checkout=checkout).split()[:3]
    # No school of this city opens or closes between that day and the run's.
    assert called("asof", "2025-10-01", query, env=env, checkout=checkout).split()[:3] == of_release
    assert int(of_release[2]) > 50
    assert (checkout / ".edulake" / "beijing" / "releases" / "CURRENT").is_file()
