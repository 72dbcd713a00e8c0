"""What the city plants for the lake to find, compared with its truth in one finished lake."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import duckdb
import pytest

from jobs.declare import reasons
from jobs.ingest import admission
from jobs.lake import tables
from jobs.publish import release
from jobs.settings import Settings


@pytest.fixture(scope="module")
def marts(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    published = release.current(lake)
    assert published is not None
    with release.open_release(published, "full") as opened:
        yield opened


def truth(lake: Settings, name: str) -> list[dict[str, str]]:
    with (lake.landing.parent / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_only_what_the_truth_names_is_used_without_a_catalogue(
    lake: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    found = marts.execute("select resource_code from dim_digital_resource where not is_in_catalogue")
    planted = {row["resource_code"] for row in truth(lake, "unlisted_resources")}
    unlisted = {code for (code,) in found.fetchall()}
    assert unlisted
    assert unlisted <= planted


def test_who_may_not_send_is_refused_as_the_truth_has_it(lake: Settings) -> None:
    """By delivery: each planted one is kept out for its reason, and no other is refused for its sender."""
    planted = {row["file"].rpartition("/")[0]: row for row in truth(lake, "refused_files")}
    kept_out = {name: row for name, row in planted.items() if row["outcome"] == "refused"}
    assert {row["reason"] for row in kept_out.values()} == {"sender_unknown", "sender_not_for_dataset"}
    receipts = tables.rows(lake, "ops__receipt")
    found = {
        row["delivery_id"]: reasons.code_of(row["reasons"][0])
        for row in receipts
        if row["outcome"] == "refused" and reasons.code_of(row["reasons"][0]) in admission.OF_SENDER
    }
    assert found == {name: row["reason"] for name, row in kept_out.items()}
    held = {name for name, row in planted.items() if row["outcome"] == "held"}
    assert held
    assert {row["outcome"] for row in receipts if row["delivery_id"] in held} == {"held"}
    rules = {(r["delivery_id"], r["rule"]) for r in tables.rows(lake, "ops__refused_row")}
    assert {(name, rule) for name, rule in rules if name in planted} == {
        (name, planted[name]["reason"]) for name in held
    }
    for table in ("clean_resources__shared_facility", "clean_places__catchment"):
        kept = {row["_delivery_id"] for row in tables.rows(lake, table, ["_delivery_id"])}
        assert kept
        assert not kept & planted.keys()


def test_who_never_sent_and_who_came_late_stand_in_the_calendar(
    lake: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    planted = truth(lake, "reporting")
    assert {row["kind"] for row in planted} == {"roll_late", "facilities_never_sent"}
    found = marts.execute(
        "select sender_code, dataset, period, coalesce(delivered_on::varchar, '') from fct_reporting_calendar"
        " where is_expected and not is_on_time and dataset in ('pupil_roll', 'shared_facility')"
        " and due_date < (select max(delivered_on) from fct_reporting_calendar)"
    ).fetchall()
    assert sorted(found) == sorted(
        (row["sender_code"], row["dataset"], row["period"], row["received_date"]) for row in planted
    )


def test_what_a_district_never_told_is_unknown_and_not_nought(
    lake: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    never = {row["sender_code"] for row in truth(lake, "reporting") if row["kind"] == "facilities_never_sent"}
    found = marts.execute(
        "select unit_code, metric_value from fct_metric_value"
        " where metric_code = 'open_facility_school_share' and unit_level = 'district'"
    ).fetchall()
    told = {unit for unit, value in found if value is not None}
    assert len(told) == 16 - len(never)
    assert not told & never


def test_figures_as_then_and_as_now_follow_the_planted_changes(
    lake: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    told = truth(lake, "school_changes")
    (moved,) = (row for row in told if row["kind"] == "move")
    parted, *_ = (row for row in told if row["kind"] == "split")
    spells = marts.execute(
        "select district_code, valid_to::varchar from dim_school_history where school_code = ?"
        " order by valid_from",
        [moved["school_code"]],
    ).fetchall()
    assert spells[0] == (moved["old_district_code"], moved["change_date"])
    assert {district for district, _ in spells[1:]} == {moved["district_code"]}
    on_the_day = marts.execute(
        "select is_open, successor_school_code, as_now_school_code from dim_school_history"
        " where school_code = $1 and $2::date >= valid_from and coalesce($2::date < valid_to, true)",
        [parted["old_school_code"], parted["change_date"]],
    ).fetchall()
    assert on_the_day == [(False, parted["school_code"], parted["school_code"])]
    pupils = marts.execute(
        "select school_year_start, as_then_district_code, as_now_district_code, school_code,"
        " as_now_school_code, sum(pupil_count) from fct_enrollment_grade"
        " join brg_school_as using (school_code, school_year_start)"
        " group by all"
    ).fetchall()
    whole = marts.execute("select sum(pupil_count) from fct_enrollment_grade")
    assert (sum(row[-1] for row in pupils),) == whole.fetchone()
    years = {row[0] for row in pupils if row[1] != row[2]}
    assert {(row[1], row[2], row[3]) for row in pupils if row[1] != row[2]} == {
        (moved["old_district_code"], moved["district_code"], moved["school_code"])
    }
    assert years == set(range(2015, int(moved["change_date"][:4])))
    taken = {row[4] for row in pupils if row[3] == parted["old_school_code"]}
    assert taken == {parted["school_code"]}
