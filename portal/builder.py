"""The table builder: measures of one table over the keys that a reader chooses, made of released cells alone.

A key that is not shown is brought to one value: by a filter, by its released total, because there is one
value only, or by a sum where the measure may be summed over it. Otherwise the reader must choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jobs.access.caller import Scope
from jobs.declare import missing
from jobs.sql import identifier
from portal import codes, filters
from portal.filters import Pairs
from portal.problems import ProblemError
from portal.selection import Selection, select
from portal.snapshot import Snapshot

MOST_CELLS = 20_000
_MOST_VALUES = 1_000
OWN = ("measures", "rows", "columns", "release", "table_version")
Way = Literal["shown", "filter", "total", "only", "sum", "choose"]


@dataclass(frozen=True)
class Choice:
    """What a reader wants to see: measures, the keys of rows and of columns, and filters."""

    measures: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The keys that stand at the edges of the table."""
        return (*self.rows, *self.columns)


def choice_of(pairs: Pairs) -> Choice:
    """The choice that the parameters of a request say. Raises ProblemError for one given twice."""
    own: dict[str, str] = {}
    for name, text in pairs:
        if name in OWN and name in own:
            raise filters.wrong(name, "这个参数只能给一次", "give it once")
        if name in OWN:
            own[name] = text
    lists = {n: tuple(filter(None, own.get(n, "").split(","))) for n in ("measures", "rows", "columns")}
    return Choice(**lists, pairs=tuple((name, text) for name, text in pairs if name not in OWN))


class _Built:
    """One table with a choice of it."""

    def __init__(self, snapshot: Snapshot, scope: Scope, table: str, choice: Choice) -> None:
        self.selection = select(snapshot, scope, table, choice.pairs, own=OWN)
        self.choice = choice
        self.told = self.selection.told
        self.columns = {column["name"]: column for column in self.told["columns"]}
        self.grain: Sequence[str] = self.told.get("grain", ())
        self.marks: Mapping[str, str] = self.told.get("total_marks", {})
        self.measures = {n: c for n, c in self.columns.items() if c.get("additive_over") is not None}
        if not self.grain or not self.measures:
            raise ProblemError(
                422, "no-cells", "这张表不能制表", f"{table} has no keys or no measures to build a table of"
            )
        _check("measures", choice.measures, self.measures)
        _check("rows", choice.rows, self.grain)
        _check("columns", choice.columns, [key for key in self.grain if key not in choice.rows])

    def asked(self, query: str, *more: str, without: str = "") -> list[tuple[Any, ...]]:
        """The rows of a query over the selection, in which `{where}` stands for its conditions."""
        selection = self.selection
        kept = [
            one
            for at, one in enumerate(selection.conditions)
            if one.column != without or at < selection.forced
        ]
        chosen = Selection(selection.snapshot, selection.scope, selection.table, (), tuple(kept))
        where, values = chosen.where(*more)
        with selection.snapshot.asked() as cursor:
            return cursor.execute(query.replace("{where}", where), values).fetchall()

    def ways(self) -> dict[str, Way]:
        """How each key comes to one value."""
        counts = self._counts()
        found: dict[str, Way] = {}
        for key in self.grain:
            values, totals = counts[key]
            filtered = [one for one in self.selection.conditions if one.column == key]
            if key in self.choice.shown:
                found[key] = "shown"
            elif any(not one.operator and len(one.values) == 1 for one in filtered):
                found[key] = "filter"
            elif totals and not filtered:
                found[key] = "total"
            elif values <= 1:
                found[key] = "only"
            elif self._may_sum(key, self.choice.measures):
                found[key] = "sum"
            else:
                found[key] = "choose"
        return found

    def _may_sum(self, key: str, measures: Sequence[str]) -> bool:
        if key in self.told.get("pick_one", ()):
            return False
        return bool(measures) and all(key in self.measures[name]["additive_over"] for name in measures)

    def may_take(self, measure: str, ways: Mapping[str, Way]) -> bool:
        """Whether a measure can be shown with the keys that are brought to one value already."""
        open_keys = [key for key, way in ways.items() if way in ("sum", "choose")]
        return all(self._may_sum(key, [measure]) for key in open_keys)

    def _counts(self) -> dict[str, tuple[int, int]]:
        """Key -> how many values it has among the rows, and how many of the rows are totals over it."""
        parts = []
        for key in self.grain:
            name = identifier(key)
            total = f"count(*) filter ({identifier(self.marks[key])})" if key in self.marks else "0"
            parts += [f"count(distinct {name}) + (count({name}) < count(*))::integer", total]
        (row,) = self.asked(f"select {', '.join(parts)} from {identifier(self.selection.table)}{{where}}")
        return {key: (row[2 * at], row[2 * at + 1]) for at, key in enumerate(self.grain)}

    def reason_of(self, measure: str) -> str | None:
        """The column that says why a value of the measure is missing."""
        named = [name for name in self.columns if missing.is_reason_column(name)]
        stem = measure.removesuffix("_count").removesuffix("_share").removesuffix("_value")
        for word in (f"{measure}_missing_reason", f"{stem}_missing_reason", f"{stem}_count_missing_reason"):
            if word in named:
                return word
        return named[0] if len(named) == 1 else None


def cells(snapshot: Snapshot, scope: Scope, table: str, choice: Choice) -> dict[str, Any]:
    """The cells of a choice. Raises ProblemError where a key has several values and no way to one."""
    built = _Built(snapshot, scope, table, choice)
    if not choice.measures:
        raise filters.wrong(
            "measures", f"请选择指标：{', '.join(built.measures)}", "choose: " + ", ".join(built.measures)
        )
    ways = built.ways()
    if undecided := [key for key, way in ways.items() if way == "choose"]:
        listed = "; ".join(f"{key}: {', '.join(_few(built, key))}" for key in undecided)
        raise ProblemError(
            422,
            "choice-needed",
            "还需选定取值",
            f"pick one value of each, or show it in rows or columns ({listed})",
            detail_zh=f"这些维度不能相加，请各选一个取值，或放在行、列中（{listed}）",
        )
    found = [*_cells(built, ways)]
    return {
        **{key: built.told[key] for key in ("title_zh", "title_en", "description")},
        "name": table,
        "version": built.selection.version,
        "measures": [_measure(built, name) for name in choice.measures],
        "rows": list(choice.rows),
        "columns": list(choice.columns),
        "filters": [[name, text] for name, text in choice.pairs],
        "ways": ways,
        "members": {key: _members(key, [cell["at"][key] for cell in found]) for key in choice.shown},
        "cells": found,
        "reasons": _reasons(found),
        "footnotes": list(built.told.get("footnotes", ())),
    }


def _cells(built: _Built, ways: Mapping[str, Way]) -> Iterator[dict[str, Any]]:
    shown = built.choice.shown
    dims = [identifier(key) for key in shown]
    marks = {key: built.marks[key] for key in shown if key in built.marks}
    parts = [*dims, *(f"bool_or({identifier(mark)})" for mark in marks.values()), "count(*)"]
    for name in built.choice.measures:
        value, reason = identifier(name), built.reason_of(name)
        # A sum with a missing member is missing: it would tell too little, or what was suppressed.
        parts.append(
            f"case when count(*) = 1 then any_value({value})"
            f" when count({value}) = count(*) then sum({value}) end"
        )
        told = f"max({identifier(reason)}) filter ({value} is null)" if reason else "null"
        parts.append(told)
    conditions = []
    for key, way in ways.items():
        if key in built.marks and way in ("total", "sum"):
            mark = identifier(built.marks[key])
            conditions.append(mark if way == "total" else f"not {mark}")
    order = ", ".join(f"{name} nulls last" for name in dims)
    grouped = f" group by {', '.join(dims)} order by {order}" if dims else ""
    source = f"from {identifier(built.selection.table)}{{where}}{grouped} limit {MOST_CELLS + 1}"
    rows = built.asked(f"select {', '.join(parts)} {source}", *conditions)
    if len(rows) > MOST_CELLS:
        raise ProblemError(
            413, "too-many-cells", "单元格太多", f"more than {MOST_CELLS} cells: filter, or show fewer keys",
            detail_zh=f"超过 {MOST_CELLS} 个单元格：请先筛选，或少放一个维度",
        )  # fmt: skip
    for row in rows:
        at, rest = dict(zip(shown, row, strict=False)), row[len(shown) :]
        totals = [key for key, is_total in zip(marks, rest, strict=False) if is_total]
        count, rest = rest[len(marks)], rest[len(marks) + 1 :]
        if not count:
            continue
        values = dict(zip(built.choice.measures, rest[::2], strict=True))
        why = dict(zip(built.choice.measures, rest[1::2], strict=True))
        reasons = {
            n: why[n] for n, v in values.items() if v is None and why[n] not in (None, *missing.NO_REASON)
        }
        yield {"at": at, "values": values, "reasons": reasons, "total_over": totals, "row_count": count}


def options(snapshot: Snapshot, scope: Scope, table: str, choice: Choice) -> dict[str, Any]:
    """What can still be chosen: of each key the values that exist with all other filters, and which measures
    can be shown.
    """
    built = _Built(snapshot, scope, table, choice)
    ways = built.ways()
    keys = []
    for key in built.grain:
        mark = f"bool_or({identifier(built.marks[key])})" if key in built.marks else "false"
        query = (
            f"select {identifier(key)}, count(*), {mark} from {identifier(table)}{{where}}"
            f" group by 1 order by 1 nulls last limit {_MOST_VALUES + 1}"
        )
        found = built.asked(query, without=key)
        names = codes.meanings(key)
        keys.append(
            {
                "name": key,
                "title_zh": built.columns[key]["title_zh"],
                "way": ways[key],
                "pick_one": key in built.told.get("pick_one", ()),
                "is_whole": len(found) <= _MOST_VALUES,
                "values": [
                    {"value": value, "name_zh": names.get(value), "row_count": count, "is_total": bool(total)}
                    for value, count, total in found[:_MOST_VALUES]
                ],
            }
        )
    measures = [
        {**_measure(built, name), "is_selectable": built.may_take(name, ways)} for name in built.measures
    ]
    told = {key: built.told[key] for key in ("title_zh", "title_en", "description")}
    return {"name": table, "version": built.selection.version, **told, "keys": keys, "measures": measures}


def _measure(built: _Built, name: str) -> dict[str, Any]:
    column = built.measures[name]
    return {key: column[key] for key in ("name", "title_zh", "description", "additive_over")}


def _members(key: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """The values of a key at the edge of the table, once each, with their names."""
    names = codes.meanings(key)
    return [{"value": value, "name_zh": names.get(value)} for value in dict.fromkeys(values)]


def _few(built: _Built, key: str) -> list[str]:
    name = identifier(key)
    query = f"select distinct {name}::varchar from {identifier(built.selection.table)}{{where}}"
    return [str(value) for (value,) in built.asked(f"{query} order by 1 limit 20")]


def _reasons(found: Sequence[Mapping[str, Any]]) -> dict[str, missing.Reason]:
    told = {reason for cell in found for reason in cell["reasons"].values()}
    return {code: words for code, words in missing.reasons().items() if code in told} if told else {}


def _check(part: str, named: Sequence[str], known: Any) -> None:
    for name in named:
        if name not in known or named.count(name) > 1:
            listed = ", ".join(known)
            raise filters.wrong(part, f"可选（各一次）：{listed}", f"each once, of: {listed}")
