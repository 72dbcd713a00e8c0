"""Two releases compared: tables, columns, members, rows and values, by district, with what caused it.

Tables whose digests are equal are not opened. Of the others rows are matched by the grain that the manifest
names. A number differs where it moves by more than its measure's tolerance (`expectations/standards/publish/
tolerances.csv`), anything else where it is not the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from typing import Any

import duckdb

from jobs import declare
from jobs.declare import standards
from jobs.lake import runs, tables
from jobs.publish import contract, mart_sources
from jobs.publish.contract import Change
from jobs.publish.release import CITY, Release
from jobs.settings import FEEDS_OF_SERVICE, Settings
from jobs.sql import identifier, literals

_NUMBER = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "DOUBLE", "FLOAT", "UBIGINT")
_LIMITS: dict[str, str | bool | int | float | list[str]] = {"threads": 2, "memory_limit": "1GB"}


@dataclass(frozen=True)
class Delivery:
    """What one sender's district handed in of a dataset between two releases."""

    dataset: str
    district_code: str
    file_count: int
    accepted_row_count: int


@dataclass(frozen=True)
class Rows:
    """Rows that only one side has, and rows of both that differ; of a district, or of all."""

    added: int = 0
    gone: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Column:
    """How often a column differs beyond its tolerance, and by how much at most (numbers only)."""

    name: str
    changed: int
    greatest: float | None
    tolerance: float


@dataclass(frozen=True)
class Example:
    """A cell that differs: the key of its row, and its value on both sides."""

    key: dict[str, str]
    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Table:
    """A table that differs. Where one side lacks it, `changes` says so and nothing else is told."""

    name: str
    version_before: str
    version_after: str
    changes: tuple[Change, ...]
    rows_before: int
    rows_after: int
    rows: Rows = Rows()
    columns: tuple[Column, ...] = ()
    districts: Mapping[str, Rows] = field(default_factory=dict)
    causes: tuple[Delivery, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Diff:
    """All that differs between two releases; `equal`: tables that are the same."""

    before: int
    after: int
    is_other_code: bool
    is_other_day: bool
    equal: int
    tables: tuple[Table, ...]
    deliveries: tuple[Delivery, ...]


def compare(settings: Settings, a: Release, b: Release, only: str | None = None, examples: int = 3) -> Diff:
    """Compare release `b` with `a`, the earlier one; `only` one table. Reads both files of `full`, one table
    at a time.
    """
    old, new = a.manifest["tables"], b.manifest["tables"]
    changed: dict[str, list[Change]] = {}
    for change in contract.changes(old, new):
        changed.setdefault(change.table, []).append(change)
    handed = _deliveries(settings, a, b)
    on = date.fromisoformat(b.manifest["as_of_date"])
    tolerances = [
        (row["columns"], float(row["tolerance"])) for row in standards.rows("publish/tolerances", on)
    ]
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="edulake-diff-") as private,
        duckdb.connect(config={**_LIMITS, "temp_directory": private}) as connection,
    ):
        for side, release in (("a", a), ("b", b)):
            connection.execute(f"attach {literals(release.file('full'))} as {side} (read_only)")
        for name, own in changed.items():
            if only in (None, name):
                table = _table(name, a, b, tuple(own), _causes(name, handed))
                if name in old and name in new and old[name]["digest"] != new[name]["digest"]:
                    compared = _Compared(connection, name, old[name], new[name], tolerances)
                    table = compared.told(table, 0 if new[name]["pupil_rows"] else examples)
                found.append(table)
    said = ("code_version",), ("as_of_date", "known_at")
    code, day = (any(a.manifest[word] != b.manifest[word] for word in words) for words in said)
    equal = sum(1 for name in new if name in old and name not in changed)
    return Diff(a.number, b.number, code, day, equal, tuple(found), tuple(handed))


def _table(name: str, a: Release, b: Release, own: tuple[Change, ...], causes: tuple[Delivery, ...]) -> Table:
    old, new = a.manifest["tables"].get(name), b.manifest["tables"].get(name)
    return Table(
        name,
        a.manifest.get("versions", {}).get(name, contract.FIRST) if old else "",
        b.manifest.get("versions", {}).get(name, contract.FIRST) if new else "",
        own,
        old["rows"] if old else 0,
        new["rows"] if new else 0,
        causes=causes,
    )


class _Compared:
    """One table on both sides, its rows matched by their key."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        tolerances: Sequence[tuple[str, float]],
    ) -> None:
        self.connection = connection
        kinds = [
            {c["name"]: c["type"] for c in side["columns"] if not c.get("alias_of")} for side in (old, new)
        ]
        shared = [column for column in kinds[1] if column in kinds[0]]
        grain = new.get("grain") or contract.declared().get(name, {}).get("grain") or shared
        self.key = [column for column in grain if column in shared]
        self.values = [column for column in shared if column not in self.key]
        self.numbers = {c for c in self.values if all(kind[c].startswith(_NUMBER) for kind in kinds)}
        self.tolerance = {
            column: next((most for pattern, most in tolerances if fnmatch(column, pattern)), 0.0)
            for column in self.values
        }
        self.scope = new["scope"] if new["scope"] != CITY and new["scope"] in shared else None
        # A key that lost a column no longer tells rows apart: then rows are counted, not matched.
        self.is_matched = bool(self.key) and all(column in shared for column in grain)
        matched = " and ".join(f"a.{identifier(c)} is not distinct from b.{identifier(c)}" for c in self.key)
        sides = [f"(select *, true as is_there from {side}.main.{identifier(name)}) {side}" for side in "ab"]
        self.joined = f"{sides[0]} full join {sides[1]} on {matched or 'false'}"

    def told(self, table: Table, examples: int) -> Table:
        """The table with its rows, columns, districts, and some cells that differ."""
        if not self.is_matched:
            return table
        differ = {column: self._differs(column) for column in self.values}
        both = "a.is_there and b.is_there"
        any_ = " or ".join(differ.values()) or "false"
        scope = identifier(self.scope) if self.scope else ""
        district = f"coalesce(b.{scope}, a.{scope})::varchar"
        asked = [
            "count(*) filter (where a.is_there is null)",
            "count(*) filter (where b.is_there is null)",
            f"count(*) filter (where {both} and ({any_}))",
        ]
        for column, how in differ.items():
            asked.append(f"count(*) filter (where {both} and {how})")
            moved = f"abs(a.{identifier(column)}::double - b.{identifier(column)}::double)"
            asked.append(f"max({moved}) filter (where {both})" if column in self.numbers else "null")
        named = f"grouping({district}), {district}" if scope else "1, null"
        sets = f"group by grouping sets ((), ({district})) order by 1 desc, 2" if scope else ""
        rows = self.connection.execute(
            f"select {named}, {', '.join(asked)} from {self.joined} {sets}"
        ).fetchall()
        total = rows[0]
        columns = [
            Column(column, total[5 + 2 * at], total[6 + 2 * at], self.tolerance[column])
            for at, column in enumerate(self.values)
        ]
        columns = sorted((c for c in columns if c.changed), key=lambda c: (-c.changed, c.name))
        districts = {str(row[1] or ""): Rows(*row[2:5]) for row in rows[1:] if self.scope and any(row[2:5])}
        return Table(
            **{
                **vars(table),
                "rows": Rows(*total[2:5]),
                "columns": tuple(columns),
                "districts": districts,
                "examples": tuple(self._examples([c.name for c in columns], differ, examples)),
            }
        )

    def _differs(self, column: str) -> str:
        a, b = f"a.{identifier(column)}", f"b.{identifier(column)}"
        if column not in self.numbers:
            return f"({a}::varchar is distinct from {b}::varchar)"
        # Half a unit of rounding, so that a difference of just the tolerance is none.
        most = self.tolerance[column] * (1 + 1e-9)
        return (
            f"(({a} is null) <> ({b} is null) or coalesce(abs({a}::double - {b}::double) > {most!r}, false))"
        )

    def _examples(self, columns: Sequence[str], differ: Mapping[str, str], most: int) -> Iterator[Example]:
        keys = ", ".join(f"b.{identifier(c)}::varchar" for c in self.key)
        for column in columns[:most]:
            a, b = f"a.{identifier(column)}", f"b.{identifier(column)}"
            order = f"abs({a}::double - {b}::double) desc nulls last, " if column in self.numbers else ""
            rows = self.connection.execute(
                f"select {keys}, {a}::varchar, {b}::varchar from {self.joined}"
                f" where a.is_there and b.is_there and {differ[column]} order by {order}{keys} limit {most}"
            ).fetchall()
            for *key, before, after in rows:
                told = {name: value for name, value in zip(self.key, key, strict=True) if value is not None}
                yield Example(told, column, before or "", after or "")


def _causes(table: str, handed: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """The deliveries that a table is made of, as this checkout makes it."""
    if table not in mart_sources.names():
        return ()
    datasets: set[str] = set()
    of_table = {
        name: c.dataset for c in declare.load().values() for name in (c.table, c.general_table) if name
    }
    for source in mart_sources.tables_behind([table]):
        if source in of_table:
            datasets.add(of_table[source])
        elif source.startswith("decision_"):
            feeds = FEEDS_OF_SERVICE.get(source.split("_")[1], ())
            datasets |= {contract.dataset for feed in feeds for contract in declare.datasets_of(feed)}
        elif source.startswith("ops__"):
            datasets |= {delivery.dataset for delivery in handed}
    return tuple(delivery for delivery in handed if delivery.dataset in datasets)


def _deliveries(settings: Settings, a: Release, b: Release) -> list[Delivery]:
    """What was accepted by the runs after that of `a`, up to that of `b`."""
    order = {run.run_id: place for place, run in enumerate(runs.all_runs(settings))}
    first, last = order.get(a.run_id, -1), order.get(b.run_id, len(order))
    of_school = _districts_of_schools(b)
    counted: dict[tuple[str, str], list[int]] = {}
    for row in tables.rows(
        settings, "ops__receipt", ["run_id", "dataset", "sender_code", "outcome", "accepted_count"]
    ):
        if row["outcome"] == "accepted" and first < order.get(row["run_id"], -1) <= last:
            sender = row["sender_code"]
            sums = counted.setdefault((row["dataset"] or "", of_school.get(sender, sender)), [0, 0])
            sums[0] += 1
            sums[1] += row["accepted_count"] or 0
    return [Delivery(*named, *sums) for named, sums in sorted(counted.items())]


def _districts_of_schools(release: Release) -> dict[str, str]:
    if "dim_school" not in release.manifest["tables"]:
        return {}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"attach {literals(release.file('full'))} as b (read_only)")
        found = connection.execute(
            "select school_code, district_code from b.main.dim_school where district_code is not null"
        ).fetchall()
    return dict(found)
