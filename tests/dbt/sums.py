"""Sum every measure of every mart as it says that it may be summed, and compare with the totals beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from jobs.publish.published_models import Model

# (lower level, upper level, column of the lower rows that names the upper one; None: there is one alone).
LEVELS = (
    ("school", "district", "district_code"),
    ("area", "district", "district_code"),
    ("district", "zone", "zone_code"),
    ("zone", "city", None),
    ("district", "city", None),
)
# Rows of a level that miss members by right: (mart, level) -> why.
MISSING = {
    ("fct_places_gap", "school"): "an extension that names no school, and pupils of units without places, "
    "are in the levels above alone"
}

# Of groups with members, total, member_count and step: more than rounding.
_APART = "abs(members - total) > step * (member_count + 1) / 2"


@dataclass(frozen=True)
class Compared:
    """A measure summed over a key in so many groups; `fault` says what is wrong, if anything."""

    mart: str
    measure: str
    over: str
    groups: int
    fault: str = ""


def measures(model: Model, key: str) -> list[str]:
    """The measures of a mart that may be summed over a key."""
    return [name for name, column in model.columns.items() if key in (column.additive_over or ())]


def compare(connection: duckdb.DuckDBPyConnection, models: Mapping[str, Model]) -> list[Compared]:
    """Every measure of every mart over every key, as declared."""
    checks = (_totals, _levels, _repeated, _hidden)
    return [
        compared
        for _, model in sorted(models.items())
        for check in checks
        for compared in check(connection, model)
    ]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return connection.execute(query).fetchall()[0]


def _totals(connection: duckdb.DuckDBPyConnection, model: Model) -> Iterator[Compared]:
    """Members of a marked key against the row that is their total."""
    for key, mark in model.total_marks.items():
        others = ", ".join(name for name in model.grain if name != key)
        for measure in measures(model, key):
            groups, wrong, first = _one(
                connection,
                f"""with groups as (
                    select {others}, sum({measure}) filter (where not {mark}) as members,
                        any_value({measure}) filter (where {mark}) as total,
                        count({measure}) filter (where not {mark}) as known_count,
                        count(*) filter (where not {mark}) as member_count, {_step(measure)} as step,
                    from {model.name} group by {others}
                )
                select count(*), count(*) filter (where {_APART}), min(groups) filter (where {_APART})
                from groups where member_count > 0 and known_count = member_count and total is not null""",
            )
            fault = f"{wrong} totals differ, first {first}" if wrong else ""
            yield Compared(model.name, measure, key, groups, fault)


def _levels(connection: duckdb.DuckDBPyConnection, model: Model) -> Iterator[Compared]:
    """Units of a lower level against the unit above them."""
    key = next((name for name in ("unit_code", "district_code") if name in model.grain), None)
    if "unit_level" not in model.grain or key is None:
        return
    others = [name for name in model.grain if name not in ("unit_level", key)]
    for lower, upper, column in LEVELS:
        if (model.name, lower) in MISSING or (column is not None and column not in model.columns):
            continue
        on = ["true" if column is None else f"above.{key} = below.unit_above"]
        on += [f"above.{name} is not distinct from below.{name}" for name in others]
        named = "'city'" if column is None else column
        for measure in measures(model, key):
            groups, wrong, first = _one(
                connection,
                f"""with below as (
                    select {", ".join([f"{named} as unit_above", *others])}, sum({measure}) as members,
                        count(*) as member_count, count({measure}) as known_count, {_step(measure)} as step,
                    from {model.name} where unit_level = '{lower}' group by all
                ),
                groups as (
                    select below.*, above.{measure} as total from below
                    inner join {model.name} as above on above.unit_level = '{upper}' and {" and ".join(on)}
                )
                select count(*), count(*) filter (where {_APART}), min(groups) filter (where {_APART})
                from groups where known_count = member_count and total is not null""",
            )
            fault = f"{wrong} units differ, first {first}" if wrong else ""
            yield Compared(model.name, measure, f"{lower} to {upper}", groups, fault)


def _repeated(connection: duckdb.DuckDBPyConnection, model: Model) -> Iterator[Compared]:
    """A number that is the same for all members of a key, whatever the rest, is none of theirs."""
    for key, others, measure, members in _within(model):
        groups, repeated, different = _one(
            connection,
            f"""select count(*), count(*) filter (where low = high), count(distinct low) from (
                select min({measure}) as low, max({measure}) as high from {model.name}
                where {measure} > 1 and {members} group by {others} having count(*) > 1
            )""",
        )
        is_wrong = groups == repeated and different > 2
        yield Compared(model.name, measure, key, groups, "the same for all members" if is_wrong else "")


def _hidden(connection: duckdb.DuckDBPyConnection, model: Model) -> Iterator[Compared]:
    """A member that is the sum of all others, whatever the rest, is a total that nothing marks."""
    for key, others, measure, members in _within(model):
        groups, totals = _one(
            connection,
            f"""with summed as (
                select {key} as member, {measure} as value,
                    2 * {measure} = sum({measure}) over same as is_sum,
                    count(*) filter (where {measure} > 0) over same as member_count,
                from {model.name} where {members} window same as (partition by {others})
            ),
            found as (
                select member, count(*) filter (where value <> 0) as group_count, bool_and(is_sum) as is_sum
                from summed where member_count > 2 group by member
            )
            select coalesce(sum(group_count), 0)::bigint,
                list(coalesce(member::varchar, 'null')) filter (where is_sum and group_count > 2)
            from found""",
        )
        fault = f"{', '.join(totals)} is a total without a mark" if totals else ""
        yield Compared(model.name, measure, key, groups, fault)


def _within(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """(key, the others of the grain, measure, condition of members) of all that may be summed."""
    for key in model.grain:
        others = ", ".join(name for name in model.grain if name != key)
        members = f"not {model.total_marks[key]}" if key in model.total_marks else "true"
        for measure in measures(model, key) if others else ():
            yield key, others, measure, members


def _step(measure: str) -> str:
    """SQL: the last digit of a measure, by which rounded members and a rounded total may be apart."""
    kind = f"any_value(typeof({measure}))"
    return f"coalesce(power(10, -try_cast(regexp_extract({kind}, ',(\\d+)', 1) as integer)), 0)"
