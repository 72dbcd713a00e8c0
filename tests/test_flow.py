"""One small lake from files to marts: what was handed in is accounted for, and every room says the same."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import subprocess
import sys
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from jobs import declare
from jobs.lake import persons, tables
from jobs.publish import questions, release
from jobs.settings import Settings, UserError

from . import outsider


@pytest.fixture(scope="module")
def full(lake: Settings) -> duckdb.DuckDBPyConnection:
    published = release.current(lake)
    assert published is not None
    return release.open_release(published, "full")


def one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_every_landed_file_has_one_receipt_and_every_line_one_end(lake: Settings) -> None:
    landed = [f for f in lake.landing.rglob("*") if f.is_file() and not f.name.startswith(".")]
    receipts = tables.rows(lake, "ops__receipt")
    assert len(receipts) == len(landed) > 300
    # One sender's files are there to be refused: `canaries`. So are those that the city plants.
    with (lake.home / "truth" / "refused_files.csv").open(encoding="utf-8") as lines:
        planted = {row["file"].rpartition("/")[0] for row in csv.DictReader(lines)}
    of_city = [r for r in receipts if not r["delivery_id"].endswith("/2025-11-18_7")]
    of_city = [r for r in of_city if r["delivery_id"] not in planted]
    assert {r["outcome"] for r in of_city} <= {"accepted", "repeated"}
    for receipt in receipts:
        assert receipt["line_count"] == receipt["accepted_count"] + receipt["refused_count"], receipt
    refused_lines = {
        (r["delivery_id"], r["file_sha256"], r["line_number"]) for r in tables.rows(lake, "ops__refused_row")
    }
    assert len(refused_lines) == sum(r["refused_count"] for r in receipts) > 0
    sent = {receipt["dataset"] for receipt in receipts}
    assert len(sent) >= 10
    for contract in (contract for contract in declare.load().values() if contract.dataset in sent):
        accepted = sum(r["accepted_count"] for r in receipts if r["dataset"] == contract.dataset)
        found = tables.open_arrow(lake, contract.table)
        assert found is not None, f"{contract.table} was not written"
        assert found.count_rows() == accepted > 0


def test_what_the_city_hid_to_be_refused_was_refused(lake: Settings) -> None:
    hidden = json.loads((lake.home / "truth" / "summary.json").read_text())["faults"]
    rules = [r["column_name"] + ":" + r["rule"] for r in tables.rows(lake, "ops__refused_row")]
    assert hidden["result_height_in_metres"] == rules.count("height_cm:impossible") > 0
    assert hidden["roll_bad_check_digit"] == rules.count("pupil_national_id:check_digit") > 0


def test_all_services_and_platforms_are_there_with_true_tables(full: duckdb.DuckDBPyConnection) -> None:
    cards = full.execute("select service, status, figure_value from rpt_portal__service_card").fetchall()
    assert sorted(service for service, _, _ in cards) == ["evaluation", "fitness", "places", "safety"]
    assert all(status == "ok" and value is not None for _, status, value in cards), cards
    items = full.execute(
        "select platform, table_name, row_count from rpt_portal__platform_item where row_count > 0"
    ).fetchall()
    assert {platform for platform, _, _ in items} == {"management", "services", "resources"}
    for _, table, rows in items:
        assert one(full, f'select count(*) from "{table}"') == rows


def test_marts_agree_with_the_lake(lake: Settings, full: duckdb.DuckDBPyConnection) -> None:
    counted = one(full, "select sum(pupil_count) from fct_enrollment_grade where school_year_start = 2025")
    stated: dict[tuple[str, str], dict[str, Any]] = {}
    for row in tables.rows(lake, "clean_enrollment__grade_count"):
        key = (row["unit_code"], row["grade_key"])
        if row["school_year_start"] == 2025 and (
            key not in stated or row["stated_on"] > stated[key]["stated_on"]
        ):
            stated[key] = row
    assert counted == sum(row["pupil_count"] for row in stated.values()) > 3000
    scored = one(full, "select count(*) from fct_fitness_result where total_score is not null")
    assert scored > 3000
    assert (
        one(
            full,
            "select count(*) from fct_plan_indicator where unit_level = 'city' and indicator_year = 2025",
        )
        == 12
    )


def test_an_incident_of_a_kind_that_nobody_mapped_is_flagged_up_to_its_month(
    lake: Settings, full: duckdb.DuckDBPyConnection
) -> None:
    flagged = {
        (row["school_code"], row["occurred_date"].replace(day=1))
        for row in tables.rows(lake, "clean_safety__incident")
        if "incident_type_code:unmapped_code" in row["flags"]
    }
    assert flagged
    months = "select distinct school_code, month_start_date from fct_safety_incident_month"
    assert flagged <= set(full.execute(f"{months} where unmapped_count > 0").fetchall())
    assert full.execute(f"{months} where unmapped_count = 0").fetchall()


def test_good_or_excellent_share_is_near_the_published_figure(full: duckdb.DuckDBPyConnection) -> None:
    share = one(
        full,
        "select sum(good_or_excellent_count) / sum(scored_count) from fct_fitness_school_year"
        " where school_year_start = 2024",
    )
    assert 0.70 < share < 0.85  # published for 2024: 77.5 %; some 3,500 pupils here


def test_who_is_one_person_is_known_before_anything_is_decided(lake: Settings) -> None:
    """Else a run would decide with the links of the run before, and a repetition otherwise."""

    def commits(table: str) -> list[int]:
        found = tables.open_table(lake, table)
        assert found is not None
        return [commit["timestamp"] for commit in found.history()]

    assert tables.rows(lake, persons.LINKS)
    for table in ("decision_fitness__score", "decision_fitness__percentile", "decision_places__forecast"):
        assert max(commits(persons.LINKS)) < min(commits(table)), table


def test_no_direct_identifier_leaves_the_restricted_zone(lake: Settings) -> None:
    names = {
        row["cells"][i]
        for row in _raw_rows(lake, "enrollment", "pupil_roll")
        for i in (0, 1)
        if row["cells"][i]
    }
    assert len(names) > 1000
    looked = 0
    for table in declare.all_tables():
        found = tables.open_arrow(lake, table)
        if found is None:
            continue
        looked += 1
        for column in found.to_table().itercolumns():
            if str(column.type) == "string":
                assert not names & set(column.to_pylist()), f"{table} holds a name or a pupil number"
    assert looked > 15


def test_no_line_of_a_log_a_check_or_a_receipt_holds_a_pupils_key(lake: Settings) -> None:
    keys = {row["pupil_key"] for row in tables.rows(lake, "clean_enrollment__pupil_roll", ["pupil_key"])}
    assert len(keys) > 1000
    files = [path for root in (lake.logs, lake.run) for path in root.rglob("*") if path.is_file()]
    told = {str(path): path.read_bytes().decode("utf-8", "ignore") for path in files}
    told |= {
        log.parent.name: str(tables.rows(lake, log.parent.name))
        for log in lake.lake.glob("ops__*/_delta_log")
    }
    assert {"ops__check", "ops__receipt", "ops__finding"} <= told.keys()
    assert not {name for name, text in told.items() if keys & set(re.findall(r"\b[0-9a-f]{32}\b", text))}


def test_values_of_persons_are_parted_from_what_is_general(lake: Settings) -> None:
    """Outside the restricted zone no row of one person holds more than ordinary columns and the key."""
    personal = {c.name for contract in declare.load().values() for c in contract.columns if c.is_personal}
    of_persons = 0
    for log in sorted(lake.lake.glob("*/_delta_log")):
        found = tables.open_arrow(lake, log.parent.name)
        assert found is not None, f"{log.parent} is no declared table"
        columns = set(found.schema.names)
        if {"pupil_key", "staff_key"} & columns:
            of_persons += 1
            contract = declare.statements_of(log.parent.name)
            assert contract is not None
            assert columns & personal <= {*contract.key}, f"{log.parent.name} holds values of persons"
    assert of_persons >= 5
    parted = [contract for contract in declare.load().values() if contract.general_table]
    for full, general in (contract.tables for contract in parted):
        lines, same = (_lines(lake, table) for table in (full, general))
        assert lines == same
        assert lines


def _lines(lake: Settings, table: str) -> list[tuple[str, ...]]:
    place = ["_delivery_id", "_file_sha256", "_table", "_line_number"]
    return sorted(tuple(map(str, line.values())) for line in tables.rows(lake, table, place))


def _raw_rows(lake: Settings, feed: str, dataset: str) -> list[dict[str, Any]]:
    files = {r["file_sha256"] for r in tables.rows(lake, "ops__receipt") if r["dataset"] == dataset}
    return [row for row in tables.rows(lake, f"raw_{feed}") if row["_file_sha256"] in files]


def test_public_file_holds_no_pupil_and_no_small_count(lake: Settings) -> None:
    published = release.current(lake)
    assert published is not None
    public = release.open_release(published, "public")
    shown = [name for (name,) in public.execute("show tables").fetchall() if name.startswith("pub_")]
    assert len(shown) >= 3
    columns = public.execute("select table_name, column_name from information_schema.columns").fetchall()
    assert not [c for c in columns if "pupil_key" in c[1]]
    smallest = one(public, "select min(pupil_count) from pub_enrollment_district_year where pupil_count > 0")
    assert smallest >= lake.small_cell


def test_no_file_of_a_release_tells_an_outsider_a_small_count(lake: Settings) -> None:
    published = release.current(lake)
    assert published is not None
    told = outsider.read(release.open_release(published, "public"))
    hidden = published.manifest["suppression"]
    assert hidden["small"] > 100
    assert hidden["groups_out_of_time"] == hidden["groups_told_before"] == 0
    assert outsider.attack([told], small=lake.small_cell, width=lake.protection_width) == []
    # Others who may see the public tables, and officials of a district, see the same rows in the same order.
    for audience in ("full", "city", "district-110101"):
        assert outsider.read(release.open_release(published, audience)) == told


def test_spark_and_duckdb_read_the_same_values(lake: Settings, spark: Any) -> None:
    """Types, decimals, nulls, dates and instants of what Spark wrote, as DuckDB reads the pinned files."""
    table = "clean_fitness__test_result"
    found = tables.open_table(lake, table)
    assert found is not None
    columns = [
        "pupil_key", "height_cm", "run_50m_s", "run_1000m_s", "pull_up_count", "birth_date", "recorded_at",
        "is_withdrawn", "flags", "_line_number",
    ]  # fmt: skip
    by_duckdb = duckdb.connect()
    by_duckdb.execute("set timezone = 'UTC'")
    by_duckdb.read_parquet(tables.files(found)).create_view("t")
    order = "pupil_key, recorded_at, _line_number"
    rows = by_duckdb.execute(f"select {', '.join(columns)} from t order by {order}").fetchall()
    types = dict(by_duckdb.execute("select column_name, column_type from (describe t)").fetchall())
    declared = declare.table_columns(table)
    wanted = {
        n: declare.duckdb_type(k).upper().replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
        for n, k in declared.items()
    }
    assert {n: t.replace(" ", "") for n, t in types.items()} == {
        n: t.replace(" ", "") for n, t in wanted.items()
    }
    arrow = (
        tables.read(spark, lake, table)
        .select(*columns)
        .orderBy("pupil_key", "recorded_at", "_line_number")
        .toArrow()
    )
    theirs = [tuple(row[c] for c in columns) for row in arrow.to_pylist()]
    assert len(rows) == len(theirs) > 3000
    for mine, other in zip(rows, theirs, strict=True):
        assert mine == other
    heights = [row[1] for row in rows]
    assert any(h is None for h in heights)
    assert all(isinstance(h, Decimal) for h in heights if h is not None)


def test_sql_answers_and_refuses_with_a_way_out(lake: Settings) -> None:
    with questions.on_release(lake, "select count(*) as n from fct_fitness_result") as answer:
        assert answer.columns == ["n"]
        assert next(answer.rows())[0] > 3000
    with questions.on_lake(lake, "select count(*) from ops__receipt") as answer:
        assert next(answer.rows())[0] > 300
    with pytest.raises(UserError, match="fct_nothing"), questions.on_release(lake, "from fct_nothing"):
        pass
    with (
        pytest.raises(UserError, match="only SELECT can be asked"),
        questions.on_release(lake, "drop table t"),
    ):
        pass
    with pytest.raises(UserError, match="release 99"), questions.on_release(lake, "select 1", 99):
        pass


def test_all_that_a_run_wrote_is_for_its_owner_alone(lake: Settings) -> None:
    paths = [lake.home, *lake.home.rglob("*")]
    assert len(paths) > 1000
    modes = {str(p.relative_to(lake.home)): oct(p.stat().st_mode) for p in paths if not p.is_symlink()}
    assert not {path: mode for path, mode in modes.items() if int(mode, 8) & 0o077}
    assert not list(lake.home.rglob("build-*.duckdb")), "a published build is removed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
def test_another_user_of_the_machine_reads_and_lists_nothing(lake: Settings) -> None:
    """From the folder of all sites, as a user who may look into that one and has nothing else."""
    around = lake.home.parent
    before = stat.S_IMODE(around.stat().st_mode)
    beside = around / "beside.txt"
    beside.write_text("")
    beside.chmod(0o644)
    paths = [str(path.relative_to(around)) for path in (lake.home, *lake.home.rglob("*"), beside)]
    around.chmod(0o755)
    try:
        tried = subprocess.run(
            [sys.executable, "-c", TRY_ALL],
            input="\0".join(paths),
            text=True,
            capture_output=True,
            cwd=around,
            check=True,
            env={},
        )
    finally:
        around.chmod(before)
        beside.unlink()
    assert tried.stdout.splitlines() == ["beside.txt"]


TRY_ALL = """
import os, sys
paths = sys.stdin.read().split("\\0")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for path in paths:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
        print(path)
    except OSError:
        pass
"""
