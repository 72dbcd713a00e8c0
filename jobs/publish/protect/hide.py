"""Public tables as a release shows them: rows in the order of their keys, small counts hidden by proof."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from jobs.publish.protect.archive import Archive, Cells, GroupKey, group_key
from jobs.publish.protect.groups import Group
from jobs.publish.protect.proof import Clock
from jobs.publish.protect.rules import Panel, Rule
from jobs.publish.protect.states import COMPLEMENT, REST, SHOWN, SMALL, UNTOLD, WHOLE, WITHHELD, Bounds
from jobs.publish.release import ReleaseError
from jobs.settings import Settings
from jobs.sql import identifier

# The schema of the protected copies, in the memory of the connection that makes them.
SCHEMA = "protected"
# Seconds for all proofs of a release. A group that is not proved by then is hidden whole.
SECONDS = 60.0


@dataclass
class Protection:
    """What was done: the cells to keep, and numbers for the release's manifest."""

    cells: dict[GroupKey, Cells] = field(default_factory=dict)
    counted: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("cells", "small", "complementary", "withheld", "groups_out_of_time", "groups_told_before"), 0
        )
    )


def protect(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    rules: Iterable[Rule],
    past: Archive,
    settings: Settings,
    seconds: float = SECONDS,
) -> Protection:
    """Make `protected.<table>` of each public table of schema `source`: no row has a hidden count."""
    done, clock = Protection(), Clock(time.monotonic() + seconds)
    connection.execute(f"create schema if not exists memory.{SCHEMA}")
    for rule in rules:
        target = f"memory.{SCHEMA}.{identifier(rule.table)}"
        connection.execute(
            f"create table {target} as from {source}.{identifier(rule.table)} order by {order(rule)}"
        )
        for panel in rule.panels:
            _hide(connection, target, panel, past, settings, clock, done)
    return done


def order(rule: Rule) -> str:
    """The order of a public table's rows: its key, and nothing that is hidden."""
    return ", ".join(f"{identifier(name)} nulls last" for name in rule.key)


@dataclass
class _Rows:
    """The rows of one group: unit -> its row, counts and what the model says of missing ones."""

    key: GroupKey
    rows: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[int]] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)


def _hide(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    panel: Panel,
    past: Archive,
    settings: Settings,
    clock: Clock,
    done: Protection,
) -> None:
    scale = _scale(connection, target, panel)
    bounds = Bounds(settings.small_cell, settings.protection_width, scale)
    reasons: list[list[tuple[int, str]]] = [[] for _ in panel.counts]
    for found in _groups(connection, target, panel, scale):
        units = sorted({*found.values, *past.units(found.key)})
        values = np.array([found.values.get(u, [0] * len(panel.counts)) for u in units], dtype=np.int64)
        given = np.full(values.shape, SHOWN, dtype="<U1")
        for row, unit in enumerate(units):
            if unit == REST:
                given[row, values[row] != 0] = UNTOLD
            elif unit in found.given:
                given[row, [why != "" for why in found.given[unit]]] = UNTOLD
        states = past.states(found.key, panel, units)
        outcome = Group(panel, units, states, bounds, clock).hide(values, given)
        cells = {
            (unit, count.column): (int(values[row, place]), str(outcome.labels[row, place]))
            for row, unit in enumerate(units)
            for place, count in enumerate(panel.counts)
        }
        done.cells[found.key] = cells
        for (unit, column), (_, label) in cells.items():
            place = [count.column for count in panel.counts].index(column)
            if unit in found.rows and label != SHOWN:
                reasons[place].append((found.rows[unit], found.given[unit][place] or label))
            done.counted["cells"] += unit in found.rows
            done.counted["small"] += unit in found.rows and label == SMALL
            done.counted["complementary"] += unit in found.rows and label == COMPLEMENT
            done.counted["withheld"] += unit in found.rows and label == WITHHELD
        done.counted["groups_out_of_time"] += outcome.is_out_of_time
        done.counted["groups_told_before"] += outcome.is_told_before
    for count, hidden in zip(panel.counts, reasons, strict=True):
        if hidden:
            emptied = ", ".join(f"{identifier(name)} = null" for name in (count.column, *count.hidden_with))
            connection.execute(
                f"update {target} set {emptied}, {identifier(count.reason)} = hidden.why"
                f" from (select unnest(?::bigint[]) as place, unnest(?::varchar[]) as why) as hidden"
                f" where {target}.rowid = hidden.place",
                [[place for place, _ in hidden], [why for _, why in hidden]],
            )


def _groups(connection: duckdb.DuckDBPyConnection, target: str, panel: Panel, scale: int) -> Iterable[_Rows]:
    """The groups of a table, in the order of their keys."""
    rule = panel.rule
    sums = rule.adds_up
    named = [*rule.grouping, *((sums.by, sums.over) if sums else ())]
    columns = [*named, *(count.reason for count in panel.counts), *(count.column for count in panel.counts)]
    rows = connection.execute(
        f"select rowid, {', '.join(map(identifier, columns))} from {target} order by rowid"
    ).fetchall()
    groups: dict[GroupKey, _Rows] = {}
    size, width = len(rule.grouping), len(panel.counts)
    for place, *row in rows:
        key = group_key(panel, row[:size])
        found = groups.setdefault(key, _Rows(key))
        unit = _unit(rule, row[size : len(named)])
        if unit in found.rows:
            raise ReleaseError(f"{rule.table}: two rows have one key, {key[2]} {unit}")
        found.rows[unit] = place
        found.given[unit] = [why or "" for why in row[len(named) : len(named) + width]]
        counts = row[len(named) + width :]
        found.values[unit] = [int(value * scale) if value is not None else 0 for value in counts]
        found.given[unit] = [
            "x" if value is None and not why else why
            for value, why in zip(counts, found.given[unit], strict=True)
        ]
    for found in groups.values():
        _rest(found, scale)
    return groups.values()


def _unit(rule: Rule, told: Sequence[Any]) -> str:
    if rule.adds_up is None:
        return WHOLE
    by, over = told
    if by == rule.adds_up.whole:
        return WHOLE
    if by != rule.adds_up.parts or over is None:
        raise ReleaseError(f"{rule.table}: {rule.adds_up.by} {by!r} of {over!r} is no part of what adds up")
    return str(over)


def _rest(found: _Rows, scale: int) -> None:
    """What the sum has more than its parts: those of no known part."""
    if WHOLE not in found.values:
        return
    parts = [values for unit, values in found.values.items() if unit != WHOLE]
    if not parts:
        return
    sums = [sum(part) for part in zip(*parts, strict=True)]
    rest = [whole - told for whole, told in zip(found.values[WHOLE], sums, strict=True)]
    slack = (len(parts) + 1) / 2 if scale > 1 else 0
    if min(rest) >= 0 and max(rest) > slack:
        found.values[REST] = rest


def _scale(connection: duckdb.DuckDBPyConnection, target: str, panel: Panel) -> int:
    """How many units of its last digit one person is: 10 for a decimal with one digit."""
    kinds: Mapping[str, str] = dict(
        connection.execute(f"select column_name, column_type from (describe {target})").fetchall()
    )
    digits = {
        int(found[1]) if (found := re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", kinds[count.column])) else 0
        for count in panel.counts
    }
    if len(digits) > 1:
        raise ReleaseError(f"{panel.rule.table}: counts of one sum have different digits")
    return 10 ** digits.pop()
