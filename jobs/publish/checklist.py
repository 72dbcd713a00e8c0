"""The checklist of a release: what was measured, and whether it lets the release go out by itself.

Each check is measured once, when the draft is made. The dated rows of `expectations/standards/publish/
checklist.csv` say from which value on it is amber (somebody should look) or red (somebody must approve).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from jobs.declare import standards
from jobs.declare.words import Text
from jobs.lake import tables
from jobs.publish import contract
from jobs.publish.contract import Change
from jobs.publish.protect import hide
from jobs.publish.protect.rules import Rule
from jobs.settings import Settings
from jobs.sql import identifier

GREEN, AMBER, RED = "green", "amber", "red"
WORDS = {GREEN: Text("通过", "green"), AMBER: Text("请留意", "amber"), RED: Text("须审批", "red")}

# Where a table had fewer rows, a share of them says nothing.
_LEAST_ROWS = 100
_MOST_DETAILS = 8
CALENDAR = "fct_reporting_calendar"
_CONTROL = "fct_control_total"
# Columns by which a mart says that a code behind a row is one that nobody mapped, as conditions.
_UNMAPPED = {"unmapped_count": "unmapped_count > 0", "has_unmapped_code": "has_unmapped_code"}


@dataclass(frozen=True)
class Item:
    """One check as it was measured. `measured` is null where nothing could be."""

    check: str
    state: str
    measured: float | None
    amber_from: float | None
    red_from: float | None
    title_zh: str
    title_en: str
    detail: str = ""


@dataclass(frozen=True)
class Measured:
    """A value and what it is made of, in a few words; `unknown`: why it could not be measured."""

    value: float | None
    details: Sequence[str] = ()
    unknown: str = ""


def measure(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    about: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    rules: Sequence[Rule],
    suppression: Mapping[str, int],
) -> list[Item]:
    """Measure all checks of a draft that is about to be written.

    `connection` holds the run's marts as `build.main` and the public copies; `about` is the draft's manifest
    with its tables and changes, `before` that of the last release.
    """
    found = {
        **_tests(settings, about["run_id"]),
        **_controls(connection),
        "small_counts_shown": _small_counts(connection, rules, settings.small_cell),
        "groups_unproved": Measured(suppression["groups_out_of_time"]),
        **_rows(before["tables"] if before else {}, about["tables"]),
        "unmapped_share": _unmapped(connection, about["tables"]),
        "late_senders": _late(connection),
        **_changes([Change(**change) for change in about["changes"]]),
    }
    on = date.fromisoformat(about["as_of_date"])
    return [_judged(row, found[row["check"]]) for row in standards.rows("publish/checklist", on)]


def state(items: Sequence[Mapping[str, Any]]) -> str:
    """The worst state of a checklist."""
    states = {item["state"] for item in items}
    return next((worst for worst in (RED, AMBER) if worst in states), GREEN)


def _judged(row: Mapping[str, str], found: Measured) -> Item:
    amber, red = (float(row[name]) if row[name] else None for name in ("amber_from", "red_from"))
    if found.unknown:
        verdict = AMBER
    elif found.value is not None and red is not None and found.value >= red:
        verdict = RED
    elif found.value is not None and amber is not None and found.value >= amber:
        verdict = AMBER
    else:
        verdict = GREEN
    more = len(found.details) - _MOST_DETAILS
    details = [*found.details[:_MOST_DETAILS], *([f"… {more}"] if more > 0 else [])]
    return Item(
        row["check"],
        verdict,
        found.value,
        amber,
        red,
        row["title_zh"],
        row["title_en"],
        found.unknown or "; ".join(details),
    )


def _tests(settings: Settings, run_id: str) -> dict[str, Measured]:
    rows = [row for row in tables.rows(settings, "ops__check") if row["run_id"] == run_id]
    if not rows:
        unknown = Measured(None, unknown="本次运行没有检验记录 no checks of this run are recorded")
        return {"tests_stopping": unknown, "tests_warning": unknown}
    failed = [row for row in rows if not row["is_success"]]

    def named(*, is_stop: bool) -> Measured:
        own = sorted({f"{r['table_name']}: {r['check_name']}" for r in failed if r["is_stop"] == is_stop})
        return Measured(len(own), own)

    return {"tests_stopping": named(is_stop=True), "tests_warning": named(is_stop=False)}


def _controls(connection: duckdb.DuckDBPyConnection) -> dict[str, Measured]:
    counted: dict[str, int] = {}
    if _is_there(connection, _CONTROL):
        counted = dict(
            connection.execute(
                f"select control_verdict, count(*) from build.main.{_CONTROL} group by all"
            ).fetchall()
        )
    return {f"control_{verdict}": Measured(counted.get(verdict, 0)) for verdict in ("stops", "warns")}


def _small_counts(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], small: int) -> Measured:
    """Counts of persons that a public copy shows though they are small: the proof must have hidden them."""
    found, total = [], 0
    for rule in rules:
        columns = [count.column for count in rule.counts]
        if not columns:
            continue
        sums = ", ".join(
            f"count(*) filter ({identifier(c)} > 0 and {identifier(c)} < {small})" for c in columns
        )
        row = connection.execute(
            f"select {sums} from memory.{hide.SCHEMA}.{identifier(rule.table)}"
        ).fetchall()[0]
        found += [
            f"{rule.table}.{column}: {count}" for column, count in zip(columns, row, strict=True) if count
        ]
        total += sum(row)
    return Measured(total, found)


def _rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Measured]:
    pairs = [
        (name, before[name]["rows"], after[name]["rows"])
        for name in after
        if name in before and before[name]["rows"] >= _LEAST_ROWS
    ]

    def greatest(sign: int) -> Measured:
        shares = sorted(
            ((sign * (now - was) / was, name, was, now) for name, was, now in pairs), reverse=True
        )
        told = [f"{name}: {was:,} → {now:,}" for share, name, was, now in shares if share > 0]
        return Measured(round(max(0.0, shares[0][0]), 4) if shares else 0.0, told[:3])

    return {"rows_lost_share": greatest(-1), "rows_gained_share": greatest(1)}


def _unmapped(connection: duckdb.DuckDBPyConnection, told: Mapping[str, Any]) -> Measured:
    shares = []
    for name, table in told.items():
        columns = {column["name"] for column in table["columns"]}
        if (marks := [how for mark, how in _UNMAPPED.items() if mark in columns]) and table["rows"]:
            ((count,),) = connection.execute(
                f"select count(*) from build.main.{identifier(name)} where {' or '.join(marks)}"
            ).fetchall()
            shares.append((count / table["rows"], name))
    shares.sort(reverse=True)
    details = [f"{name}: {share:.1%}" for share, name in shares if share > 0]
    return Measured(round(shares[0][0], 4) if shares else 0.0, details)


def _late(connection: duckdb.DuckDBPyConnection) -> Measured:
    if not _is_there(connection, CALENDAR):
        return Measured(None, unknown="没有报送日历 there is no reporting calendar")
    found = connection.execute(
        f"select sender_code, max(days_late) from build.main.{CALENDAR}"
        " where is_late_now group by all order by 2 desc, 1"
    ).fetchall()
    return Measured(len(found), [f"{sender}: {days} d" for sender, days in found])


def _changes(changed: Sequence[Change]) -> dict[str, Measured]:
    broken = contract.breaking(changed)
    announced = [change for change in changed if change.level == contract.MAJOR and change.is_announced]

    def named(own: Sequence[Change]) -> Measured:
        return Measured(len(own), [f"{change.table}: {change.words().en}" for change in own])

    return {"breaking_changes": named(broken), "announced_changes": named(announced)}


def _is_there(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select count(*) from duckdb_tables() where database_name = 'build' and table_name = ?", [table]
    ).fetchall()
    return bool(found[0][0])
