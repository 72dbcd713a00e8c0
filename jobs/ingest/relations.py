"""Check the relations between files and feeds (`expectations/relations.yaml`), after ingest.

A line is accepted or refused by its own file alone. Findings come on top of that, so that any order of
processing gives the same tables, and a finding goes when the other side is corrected. They hold counts and
places of lines, and no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb

from jobs import clock, declare
from jobs.declare import EXPECTATIONS, Contract, ContractError
from jobs.files import parse_yaml
from jobs.lake import tables, window
from jobs.lake.runs import Run
from jobs.settings import Settings
from jobs.sql import literals

FINDINGS, RATES = "ops__finding", "ops__match_rate"
# A line of any term is asked, so the queries below read the last of these.
VIEWS = ("every_statement", "newest_by_scope")


@dataclass(frozen=True)
class Relation:
    """One declared relation. `datasets`: dataset -> {column, day}; `least`: least share of sound lines."""

    name: str
    zh: str
    en: str
    kind: str
    datasets: Mapping[str, Mapping[str, str]]
    least: float
    wrong_zh: str
    fix_zh: str
    wrong_en: str
    fix_en: str
    of: Mapping[str, str] = field(default_factory=dict)
    successors: Mapping[str, str] = field(default_factory=dict)
    stop: bool = False
    open_status: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()
    spare_years: int = 0
    most_share: float = 1.0


@cache
def load() -> dict[str, Relation]:
    """Name -> relation. Raises ContractError for an unknown kind, dataset or column."""
    declared = parse_yaml((EXPECTATIONS / "relations.yaml").read_text(encoding="utf-8"))
    known = declare.load()
    found = {}
    for name, entry in declared.items():
        for listed in ("open_status", "leaving", "coming"):
            entry[listed] = tuple(entry.get(listed, ()))
        try:
            relation = Relation(name=name, **entry)
        except TypeError as error:
            raise ContractError(f"relations.yaml: {name}: {error}") from error
        if relation.kind not in _KINDS:
            raise ContractError(f"relations.yaml: {name}: no kind {relation.kind!r}")
        for dataset, words in relation.datasets.items():
            columns = {c.name for c in known[dataset].columns} | known[dataset].clean_columns().keys()
            for column in words.values():
                if column not in columns:
                    raise ContractError(f"relations.yaml: {name}: {dataset} has no column {column}")
        found[name] = relation
    return found


def measure(settings: Settings, run: Run) -> list[dict[str, Any]]:
    """Check every relation in the lake as this run knows it; write findings and rates, return the checks.

    A repeated call in one run writes nothing twice. A relation whose other side has no rows is not checked.
    """
    findings: list[dict[str, Any]] = []
    rates: list[dict[str, Any]] = []
    with window.opened(settings, run.as_of_date, run.known_at, datasets(), views=VIEWS) as lake:
        connection = lake.connection
        assert connection is not None
        connection.execute(f"set schema = '{VIEWS[-1]}'")
        for relation in load().values():
            for dataset in relation.datasets:
                own_findings, own_rates = ask(connection, relation, declare.load()[dataset])
                findings += own_findings
                rates += own_rates
    stamp = {"run_id": run.run_id, "recorded_at": run.known_at}
    tables.append_rows(settings, FINDINGS, [stamp | row for row in findings], run.run_id, run.run_id)
    tables.append_rows(settings, RATES, [stamp | row for row in rates], run.run_id, run.run_id)
    return [_check(run, relation, rates) for relation in load().values()]


def datasets(asked: Iterable[Relation] | None = None) -> set[str]:
    """Every dataset that a relation names on any side; of those `asked` alone where they are given."""
    found: set[str] = set()
    for relation in load().values() if asked is None else asked:
        others = (side["dataset"] for side in (relation.of, relation.successors) if side)
        found |= {*relation.datasets, *others}
    return found


def findings_of(
    settings: Settings, receipt: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the newest run's findings and match rates of one receipt's file; none before the first check."""
    rates = tables.rows(settings, RATES)
    if not rates:
        return [], []
    newest = max(rates, key=lambda r: (r["recorded_at"], _number(r["run_id"])))["run_id"]
    place = (newest, receipt["delivery_id"], receipt["file_sha256"])

    def own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [r for r in rows if (r["run_id"], r["delivery_id"], r["file_sha256"]) == place]

    return own(tables.rows(settings, FINDINGS)), own(rates)


def _number(run_id: str) -> int:
    return int(run_id.rsplit(".", 1)[-1])


def ask(
    connection: duckdb.DuckDBPyConnection, relation: Relation, contract: Contract, which: str = ""
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Findings and rates of one dataset's lines, those alone that `which` (a `where`) names."""
    if relation.of:
        other = declare.load()[relation.of["dataset"]].table
        if not connection.execute(f"select exists (from {other})").fetchall()[0][0]:
            return [], []
    judged = _KINDS[relation.kind](relation, contract)
    connection.execute(f"create or replace temp table judged as from ({judged}){which}")
    rates = _rows(
        connection,
        """
        select sender_code, _delivery_id as delivery_id, _file_sha256 as file_sha256,
            count(*) as examined_count, count(*) filter (where is_sound) as matched_count
        from judged where is_sound is not null group by all order by all
        """,
    )
    findings = _rows(
        connection,
        """
        select sender_code, _delivery_id as delivery_id, _file_sha256 as file_sha256, _table as table_number,
            _line_number as line_number, evidence
        from judged where not is_sound order by all
        """,
    )
    column = relation.datasets[contract.dataset]["column"]
    for row in rates:
        share = row["matched_count"] / row["examined_count"]
        row |= {
            "relation": relation.name,
            "dataset": contract.dataset,
            "least_share": relation.least,
            "match_share": share,
            "is_within": share >= relation.least,
        }
    for row in findings:
        row |= {"relation": relation.name, "dataset": contract.dataset, "column_name": column}
    return findings, rates


def _check(run: Run, relation: Relation, rates: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in rates if row["relation"] == relation.name]
    return {
        "run_id": run.run_id,
        "table_name": RATES,
        "check_name": f"match_rate({relation.name})",
        "column_name": None,
        "is_success": all(row["is_within"] for row in own),
        "is_stop": relation.stop,
        "examined_count": len(own),
        "unexpected_count": sum(not row["is_within"] for row in own),
        "checked_by": "rule",
    }


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    answer = connection.execute(query)
    names = [column[0] for column in answer.description or []]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


# One SELECT per kind: the lines examined, with `is_sound` (null: not checked for this line) and `evidence`.

_PLACE = "sender_code, _delivery_id, _file_sha256, _table, _line_number"


def _day(relation: Relation, contract: Contract) -> str:
    day = relation.datasets[contract.dataset].get("day")
    return f"coalesce({day}, valid_from)" if day else "valid_from"


def _match(relation: Relation, contract: Contract) -> str:
    other = declare.load()[relation.of["dataset"]]
    column = relation.datasets[contract.dataset]["column"]
    # A code may have been open more than once (closed, and opened again): any span will do.
    return f"""
        with change as ({_changes(relation)}),
        listed as (
            select {relation.of["column"]} as code, {relation.of["from"]} as first_day,
                {relation.of["until"]} as last_day
            from {other.table}
        ),
        ended as (select code, min(day) as day from change group by code),
        span as (
            -- a code that is listed as opened on that day or later has been given out again
            select code, first_day,
                least(last_day, case when coalesce(first_day < ended.day, true) then ended.day end)
                    as last_day
            from listed left join ended using (code)
            union all
            select code, null, day from change where code not in (select code from listed)
            union all
            select successor, day, null from change
            where successor is not null and successor not in (select code from listed)
                and successor not in (select code from change)
        ),
        own as (select {_PLACE}, {column} as code, {_day(relation, contract)} as day from {contract.table}),
        known as (
            select distinct own.code, own.day
            from own join span on own.code = span.code and own.day >= coalesce(first_day, own.day)
                and (last_day is null or own.day < last_day)
        )
        select {_PLACE}, case when own.code is not null then known.code is not null end as is_sound,
            '自 ' || change.day || ' 起变更为 ' || change.successor as evidence
        from own
        left join known on own.code = known.code and own.day = known.day
        left join change on own.code = change.code and own.day >= change.day
    """


def _changes(relation: Relation) -> str:
    """Codes that a change ended, each once: `code, successor, day`. A new name ends nothing."""
    declared = relation.successors
    if not declared:
        return "select null::varchar as code, null::varchar as successor, null::date as day where false"
    code, successor, day = declared["column"], declared["to"], declared["day"]
    return f"""
        select {code} as code, {successor} as successor, {day} as day
        from {declare.load()[declared["dataset"]].table}
        where {code} <> {successor}
            or {successor} is null and coalesce(change_kind_code not in ('rename', 'move', 'reopen'), true)
        -- stated by two districts: the newer statement
        qualify row_number() over (
            partition by {code} order by {day} desc, stated_on desc, delivery_no desc, sender_code, successor
        ) = 1
    """


def _on_roll(relation: Relation, contract: Contract) -> str:
    roll = declare.load()[relation.of["dataset"]]
    return f"""
        with own as (select {_PLACE}, pupil_key, {_day(relation, contract)} as day from {contract.table}),
        termed as (
            select *, {clock.school_year_sql("day")} as school_year_start, {clock.term_sql("day")} as term
            from own
        ),
        term as (select distinct school_year_start, term from {roll.table}),
        enrolled as (select distinct pupil_key, school_year_start, term from {roll.table})
        select {_PLACE},
            case when term.term is not null then enrolled.pupil_key is not null end as is_sound,
            null::varchar as evidence
        from termed
        left join term using (school_year_start, term)
        left join enrolled using (pupil_key, school_year_start, term)
    """


def _single_spell(relation: Relation, contract: Contract) -> str:
    return f"""
        with own as (
            select *, pupil_status_code in ({literals(*relation.open_status)}) as is_open
            from {contract.table}
        ),
        spell as (
            select pupil_key, school_year_start, term,
                count(distinct (sender_code, school_code)) as spell_count
            from own where is_open group by all
        )
        select {_PLACE}, spell_count is null or spell_count = 1 or not is_open as is_sound,
            spell_count || ' 处在籍' as evidence
        from own left join spell using (pupil_key, school_year_start, term)
    """


def _left_in_time(relation: Relation, contract: Contract) -> str:
    roll = declare.load()[relation.of["dataset"]]
    return f"""
        with own as (
            select {_PLACE}, pupil_key, school_code, roll_change_kind_code as kind,
                {_day(relation, contract)} as day
            from {contract.table}
        ),
        gone as (select * from own where kind in ({literals(*relation.leaving)})),
        leaving as (select *, row_number() over () as nth from gone),
        spell as (
            select distinct pupil_key, school_code, valid_from as first_day from {roll.table}
            where pupil_status_code in ({literals(*relation.open_status)})
        ),
        still as (
            select nth, min(first_day) as first_day
            from leaving join spell using (pupil_key, school_code)
            -- of the next term alone
            where first_day between day and day + interval {_TERM_DAYS} day and not exists (
                from own as back where back.pupil_key = leaving.pupil_key
                    and back.school_code = leaving.school_code and back.day >= leaving.day
                    and back.kind in ({literals(*relation.coming)})
            )
            group by nth
        )
        select {_PLACE}, first_day is null as is_sound, '学期第一天 ' || first_day as evidence from leaving
        left join still using (nth)
    """


# No term begins later after the day before it.
_TERM_DAYS = 200


def _one_person(relation: Relation, contract: Contract) -> str:
    # Linked tokens are one pupil already: a temporary number and the later one are no finding.
    column = relation.datasets[contract.dataset]["column"]
    return f"""
        with holder as (
            select document_key, count(distinct pupil_key) as pupil_count
            from {contract.table} where document_key is not null group by all
        )
        select {_PLACE}, pupil_count = 1 and not is_placeholder as is_sound,
            if(is_placeholder, '占位号码', pupil_count || ' 个学籍号') as evidence
        from (
            select *, list_contains(flags, '{column}:placeholder') as is_placeholder from {contract.table}
        )
        left join holder using (document_key)
        where document_key is not null or is_placeholder
    """


def _entry_year(relation: Relation, contract: Contract) -> str:
    ladder = ", ".join(f"('{row['code']}', {row['ladder_year']})" for row in declare.code_list("grade").rows)
    first = next(row["ladder_year"] for row in declare.code_list("grade").rows if row["code"] == "P1")
    return f"""
        with ladder(grade_key, ladder_year) as (values {ladder}),
        own as (
            select {_PLACE}, school_year_start, term, ladder_year,
                try_cast(left(entry_month, 4) || '-' || substr(entry_month, 5, 2) || '-01' as date) as entry
            from {contract.table} left join ladder using (grade_key)
        )
        select {_PLACE},
            -- kindergartens count from their own first year
            case when entry is null or ladder_year is null then null else
                {clock.school_year_sql("entry")} between
                    school_year_start - (ladder_year - if(ladder_year < {first}, 1, {first}))
                        - {relation.spare_years}
                    and school_year_start
            end as is_sound,
            null::varchar as evidence
        from own
    """


def _within_places(relation: Relation, contract: Contract) -> str:
    register = declare.load()[relation.of["dataset"]]
    # Only the newest term is checked: the register has today's number of places.
    return f"""
        with place as (
            select school_code, sum(place_count) as places from {register.table}
            where place_count > 0 and closed_date is null group by all
        ),
        newest as (
            select * from {contract.table} where pupil_status_code in ({literals(*relation.open_status)})
            qualify dense_rank() over (order by school_year_start desc, term desc) = 1
        ),
        pupil as (
            select sender_code, _delivery_id, _file_sha256, school_code, count(*) as pupils
            from newest group by all
        )
        select sender_code, _delivery_id, _file_sha256, null::integer as _table,
            null::bigint as _line_number, pupils <= places * {relation.most_share} as is_sound,
            '学校 ' || school_code || ': 在籍 ' || pupils || ', 核定学位 ' || places as evidence
        from pupil join place using (school_code)
    """


_KINDS: dict[str, Callable[[Relation, Contract], str]] = {
    "match": _match,
    "on_roll": _on_roll,
    "single_spell": _single_spell,
    "one_person": _one_person,
    "left_in_time": _left_in_time,
    "entry_year": _entry_year,
    "within_places": _within_places,
}
