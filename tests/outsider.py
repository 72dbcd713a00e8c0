"""An outsider who wants the hidden counts: he has the public files of every release, and solves for them.

Written without the product's code, from what anybody can read in the tables' descriptions. He knows:
parts add up to their whole (a flagged group may have a rest); `k` was 1 to 9, or one side of a share at most
9, when it was first hidden; `c` is at least 10 and no larger than what is shown; a share is its count over
the whole, rounded; from one release to the next all counts of a column move one way, as the shown ones do.
`attack` names every hidden count that is left fewer values than `width`, and whatever else is told.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
from scipy.optimize import linprog

Row = Mapping[str, Any]
# The public tables of one release, rows in the order in which the file has them.
Release = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Known:
    """What a reader sees in a table: its key, what adds up, counts with reasons, shares of the first."""

    key: tuple[str, ...]
    by: str
    whole: str
    over: str
    counts: Mapping[str, str]
    shares: Mapping[str, str] | None = None

    @property
    def group(self) -> tuple[str, ...]:
        return tuple(name for name in self.key if name not in (self.by, self.over))


TABLES: dict[str, Known] = {
    "pub_enrollment_district_year": Known(
        ("unit_level", "district_code", "stage_code", "school_year_start"),
        by="unit_level",
        whole="city",
        over="district_code",
        counts={"pupil_count": "pupil_count_missing_reason"},
    ),
    "pub_safety_district_year": Known(
        ("unit_level", "district_code", "school_year_start"),
        by="unit_level",
        whole="city",
        over="district_code",
        counts={
            "incident_count": "incident_count_missing_reason",
            "injured_count": "injured_count_missing_reason",
        },
    ),
    "pub_fitness_district_year": Known(
        ("unit_level", "district_code", "school_year_start"),
        by="unit_level",
        whole="city",
        over="district_code",
        counts={
            "scored_count": "scored_count_missing_reason",
            "pass_count": "pass_missing_reason",
            "good_or_excellent_count": "good_or_excellent_missing_reason",
        },
        shares={"pass_count": "pass_share", "good_or_excellent_count": "good_or_excellent_share"},
    ),
    "pub_places_forecast_city": Known(
        ("grade_span", "stage_code", "school_year_start"),
        by="grade_span",
        whole="all",
        over="stage_code",
        counts={"forecast_count": "forecast_missing_reason"},
    ),
    "pub_entry_notice": Known(
        ("unit_level", "district_code", "stage_code", "school_year_start"),
        by="unit_level",
        whole="city",
        over="district_code",
        counts={"public_entrant_count": "public_entrant_count_missing_reason"},
    ),
}

# A cell: (number of the release, unit, column).
Cell = tuple[int, str, str]
_WHOLE, _REST = "=", "+"


def read(public: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """The public tables of a release's file."""
    tables = [name for (name,) in public.execute("show tables").fetchall() if name.startswith("pub_")]
    return {table: rows(public, f"from {table}") for table in tables}


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def attack(
    releases: Sequence[Release], truth: Sequence[Release] = (), small: int = 10, width: int = 5
) -> list[str]:
    """All that the releases tell and should not, in words. `releases` are all ever published, oldest first.

    Where the true rows are given, what he believes wrongly is left out.
    """
    told: list[str] = []
    for table, known in TABLES.items():
        shown = [release.get(table, ()) for release in releases]
        told += _order(table, known, shown[-1])
        told += _plainly(table, known, shown[-1], small)
        told += _elsewhere(table, known, releases[-1])
        groups = [_groups(known, rows_) for rows_ in shown]
        true = [_groups(known, release.get(table, ())) for release in truth]
        for group in sorted({key for found in groups for key in found}, key=str):
            for columns in _columns(known):
                history = [found.get(group, {}) for found in groups]
                solver = _Solver(known, columns, history, small)
                for (number, unit, column), least, most in solver.narrow(width):
                    if true and not least <= float(true[number][group][unit][column]) <= most:
                        continue
                    told.append(
                        f"{table} {group} {unit} in release {number + 1}: {column} is {least} to {most}"
                    )
    return told


def _columns(known: Known) -> list[list[str]]:
    """Counts that speak about one another; others by themselves."""
    return [list(known.counts)] if known.shares else [[name] for name in known.counts]


def _groups(known: Known, rows_: Iterable[Row]) -> dict[tuple[Any, ...], dict[str, Row]]:
    groups: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows_:
        unit = _WHOLE if row[known.by] == known.whole else str(row[known.over])
        groups[tuple(row[name] for name in known.group)][unit] = row
    return groups


def _order(table: str, known: Known, rows_: Sequence[Row]) -> Iterator[str]:
    """The order in which rows lie is told, too: it may be that of what is hidden."""
    keys = [tuple((row[name] is None, row[name]) for name in known.key) for row in rows_]
    if keys != sorted(keys):
        yield f"{table}: rows lie in another order than that of their key"


def _plainly(table: str, known: Known, rows_: Sequence[Row], small: int) -> Iterator[str]:
    """What needs no sums: small counts and differences, and shares that tell of everybody."""
    for row in rows_:
        counts = {name: row[name] for name in known.counts if row[name] is not None}
        tellers = dict(counts)
        if known.shares:
            total, good, passed = (counts.get(c) for c in (
                "scored_count", "good_or_excellent_count", "pass_count"))  # fmt: skip
            pairs = {"not passed": (total, passed), "not good": (total, good), "just passed": (passed, good)}
            tellers |= {n: a - b for n, (a, b) in pairs.items() if a is not None and b is not None}
        for name, value in tellers.items():
            if 1 <= round(value) < small:
                yield f"{table} {[row[k] for k in known.key]}: {name} is {value}"
        for share in (known.shares or {}).values():
            if row[share] in (0, 1):
                yield f"{table} {[row[k] for k in known.key]}: {share} is {row[share]}, of everybody"


def _elsewhere(table: str, known: Known, release: Release) -> Iterator[str]:
    """Counts that are hidden here and shown in another table: same column, same key."""
    for other, found in release.items():
        for column in known.counts:
            if other == table or not found or not {*known.key, column} <= found[0].keys():
                continue
            shown = {tuple(row[k] for k in known.key): row[column] for row in found}
            for row in release.get(table, ()):
                key = tuple(row[k] for k in known.key)
                if row[column] is None and shown.get(key) is not None:
                    yield f"{table} {key}: {column} is {shown[key]} in {other}"


class _Solver:
    """The linear program of one group over all releases."""

    def __init__(
        self, known: Known, columns: Sequence[str], history: Sequence[Mapping[str, Row]], small: int
    ) -> None:
        self.known, self.columns, self.history, self.small = known, columns, history, small
        self.units = sorted({unit for found in history for unit in found})
        self.values: dict[Cell, float] = {}
        self.hidden: list[Cell] = []
        for number, found in enumerate(history):
            for unit in self.units:
                for column in columns:
                    self._look(number, unit, column, found.get(unit))
            if _WHOLE in found and any(row.get("has_unmapped_code") for row in found.values()):
                self.hidden += [(number, _REST, column) for column in columns]
        self.place = {cell: place for place, cell in enumerate(self.hidden)}
        self.rows: list[tuple[list[float], float, float]] = []
        self.bounds: list[tuple[float, float | None]] = [(0.0, None)] * len(self.hidden)

    def _look(self, number: int, unit: str, column: str, row: Row | None) -> None:
        if row is None:
            self.values[number, unit, column] = 0.0
        elif row[column] is not None:
            self.values[number, unit, column] = float(row[column])
        else:
            self.hidden.append((number, unit, column))

    def _reason(self, cell: Cell) -> str:
        number, unit, column = cell
        row = self.history[number].get(unit) if number >= 0 else None
        return (row[self.known.counts[column]] or "") if row is not None else ""

    def _say(self, terms: Iterable[tuple[Cell, float]], least: float, most: float) -> None:
        weights, known = [0.0] * len(self.hidden), 0.0
        for cell, weight in terms:
            if cell in self.place:
                weights[self.place[cell]] += weight
            else:
                known += weight * self.values.get(cell, 0.0)
        if any(weights):
            self.rows.append((weights, least - known, most - known))

    def narrow(self, width: int) -> Iterator[tuple[Cell, int, int]]:
        """The hidden counts with fewer values than `width`, with the least and the most."""
        if not any(self._reason(cell) for cell in self.hidden):
            return
        for number, found in enumerate(self.history):
            self._sums(number, found)
            self._shares(number, found)
        self._reasons()
        links = len(self.rows)
        for before, after in pairwise(range(len(self.history))):
            self._moves(before, after)
        if self._solve([0.0] * len(self.hidden)) is None:
            # He was wrong about how counts move, and has nothing but each release for itself.
            del self.rows[links:]
        for cell in self.hidden:
            number, unit, _ = cell
            is_small = self._reason(cell) == "k"
            if unit == _REST or (number < len(self.history) - 1 and not is_small):
                continue
            weights = [float(place == self.place[cell]) for place in range(len(self.hidden))]
            low, high = self._solve(weights), self._solve([-weight for weight in weights])
            if low is None or high is None:
                continue
            least, most = math.ceil(low - 1e-6), -high + 1e-6
            if most - least + 1 < width:
                yield cell, least, math.floor(most)

    def _sums(self, number: int, found: Mapping[str, Row]) -> None:
        if _WHOLE not in found:
            return
        parts = [unit for unit in (*self.units, _REST) if unit != _WHOLE]
        # Forecasts are rounded one by one.
        slack = 0.05 * len(parts) if self.columns == ["forecast_count"] else 0.0
        for column in self.columns:
            terms = [((number, unit, column), 1.0) for unit in parts]
            self._say([*terms, ((number, _WHOLE, column), -1.0)], -slack, slack)

    def _shares(self, number: int, found: Mapping[str, Row]) -> None:
        for column, share in (self.known.shares or {}).items():
            for unit, row in found.items():
                part, whole = (number, unit, column), (number, unit, "scored_count")
                self._say([(whole, 1.0), (part, -1.0)], 0, np.inf)
                if column == "good_or_excellent_count":
                    self._say([((number, unit, "pass_count"), 1.0), (part, -1.0)], 0, np.inf)
                if row[share] is not None:
                    near = float(row[share])
                    self._say([(part, 1.0), (whole, -(near - 0.00005))], 0, np.inf)
                    self._say([(part, 1.0), (whole, -(near + 0.00005))], -np.inf, 0)

    def _reasons(self) -> None:
        for cell in self.hidden:
            number, unit, column = cell
            reason = self._reason(cell)
            is_part = bool(self.known.shares) and column != "scored_count"
            whole = [((number, unit, "scored_count"), 1.0), (cell, -1.0)]
            if reason == "k" and self._reason((number - 1, unit, column)) != "k":
                if is_part:
                    # Most pupils pass and are good, so it is the other side that is small.
                    self._say(whole, 0, self.small - 1)
                else:
                    self._say([(cell, 1.0)], 1, self.small - 1)
            elif reason == "c":
                self._say([(cell, 1.0)], self.small, np.inf)
                if is_part:
                    self._say(whole, self.small, np.inf)
                shown = [
                    value
                    for (n, u, c), value in self.values.items()
                    if (n, c) == (number, column) and value > 0 and u not in (_WHOLE, _REST)
                ]
                if shown and unit != _WHOLE:
                    self._say([(cell, 1.0)], 0, min(shown))

    def _moves(self, before: int, after: int) -> None:
        for column in self.columns:
            pairs = [((before, unit, column), (after, unit, column)) for unit in self.units]
            moved = [
                self.values[b] - self.values[a] for a, b in pairs if a in self.values and b in self.values
            ]
            if not moved or min(moved) < 0 < max(moved):
                continue
            least = -np.inf if min(moved) < 0 else 0.0
            most = np.inf if max(moved) > 0 else 0.0
            for old, new in pairs:
                self._say([(new, 1.0), (old, -1.0)], least, most)

    def _solve(self, objective: Sequence[float]) -> float | None:
        upper: list[list[float]] = []
        limits: list[float] = []
        for weights, least, most in self.rows:
            if most < np.inf:
                upper.append(weights)
                limits.append(most)
            if least > -np.inf:
                upper.append([-weight for weight in weights])
                limits.append(-least)
        found = linprog(objective, A_ub=upper or None, b_ub=limits or None, bounds=self.bounds)
        if found.status == 3:
            return -np.inf
        return float(found.fun) if found.status == 0 else None
