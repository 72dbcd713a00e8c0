"""What is asked of one table of a release: the rows that the caller may see, filtered, in an order.

The rows that a caller may see are forced in `select` and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from jobs.access.caller import Scope, own_column, rows_open
from jobs.sql import identifier
from portal import codes, filters
from portal.filters import Columns, Condition, Pairs
from portal.problems import ProblemError
from portal.replies import API
from portal.snapshot import Snapshot

_BATCH_ROWS = 20_000


@dataclass(frozen=True)
class Selection:
    """Rows and columns of one table of a release that one scope may see, in an order."""

    snapshot: Snapshot
    scope: Scope
    table: str
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    # So many of the conditions, the first ones, are nobody's choice.
    forced: int = 0

    @property
    def told(self) -> Mapping[str, Any]:
        """What the manifest says of the table."""
        return self.snapshot.tables[self.table]

    @property
    def told_columns(self) -> list[Mapping[str, Any]]:
        """What the manifest says of the columns, in the order that was asked for."""
        by_name = {column["name"]: column for column in self.told["columns"]}
        return [by_name[name] for name in self.columns]

    @property
    def version(self) -> str | None:
        """The version of the promise that the table makes; None in a release that has none."""
        version: str | None = self.snapshot.release.manifest.get("versions", {}).get(self.table)
        return version

    @property
    def mark(self) -> str:
        """Names what is asked: two selections of one mark have the same rows in the same order."""
        parts = (self.scope.tag, self.table, repr(self.conditions), repr(self.order))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def in_words(self) -> str:
        """The filters, as an address writes them."""
        parts = []
        for one in self.conditions:
            name = f"{one.column}__{one.operator}" if one.operator else one.column
            parts.append(f"{name}={','.join(map(str, one.values))}")
        return " & ".join(parts)

    def where(self, *more: str) -> tuple[str, list[Any]]:
        """The rows in SQL, and the values of its marks."""
        parts = [*(one.sql() for one in self.conditions), *more]
        values = [value for one in self.conditions for value in one.bound]
        return (f" where {' and '.join(parts)}" if parts else ""), values

    def ordered(self) -> list[tuple[str, bool]]:
        """The whole order: what was asked for, then the keys of the table, then the row's own number."""
        if not self.order:
            return [("rowid", False)]
        named = [name for name, _ in self.order]
        keys = [(key, False) for key in self.told.get("grain", ()) if key not in named]
        return [*self.order, *keys, ("rowid", False)]

    def order_by(self) -> str:
        """The same in SQL; what is missing comes last."""
        parts = (f"{_name(c)} {'desc' if falls else 'asc'} nulls last" for c, falls in self.ordered())
        return f" order by {', '.join(parts)}"

    def count(self) -> int:
        """How many rows there are."""
        if not self.conditions:
            return int(self.told["rows"])
        where, values = self.where()
        with self.snapshot.asked() as cursor:
            found = cursor.execute(f"select count(*) from {identifier(self.table)}{where}", values).fetchone()
        return int(found[0]) if found else 0

    def page(self, after: int | None, size: int | None) -> list[tuple[Any, ...]]:
        """The rows after the one with that number; each begins with its own number."""
        listed = ", ".join(identifier(name) for name in self.columns)
        with self.snapshot.asked() as cursor:
            more, told = self._after(cursor, after)
            query, values = self._first(f"rowid, {listed}", more, size)
            return cursor.execute(query, [*values, *told]).fetchall()

    def queries(
        self, cells: Sequence[str], after: int | None, limit: int | None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, list[Any]]]:
        """The rows part by part: a connection, a query and its values. `cells`: expressions over the columns.

        A query over the whole table would hold all of it in memory; one that sorts it must.
        """
        listed, table = ", ".join(cells), identifier(self.table)
        with self.snapshot.asked() as cursor:
            if self.order or limit is not None:
                more, told = self._after(cursor, after)
                query, values = self._first(listed, more, limit)
                yield cursor, query, [*values, *told]
                return
            where, values = self.where("rowid >= ? and rowid < ?")
            query = f"select {listed} from {table}{where} order by rowid"
            for first in range(0 if after is None else after + 1, self.told["rows"], _BATCH_ROWS):
                yield cursor, query, [*values, first, first + _BATCH_ROWS]

    def _first(self, listed: str, more: Sequence[str], limit: int | None) -> tuple[str, list[Any]]:
        """A query for the first rows in order, and its values before those of `more`."""
        where, values = self.where(*more)
        table, order = identifier(self.table), self.order_by()
        if limit is None:
            return f"select {listed} from {table}{where}{order}", values
        if not self.order:
            return f"select {listed} from {table}{where}{order} limit {limit}", values
        # In two steps: DuckDB 2.0.0 fails inside on the first rows of an order with a condition on `rowid`.
        numbers = f"select rowid from {table}{where}{order} limit {limit}"
        return f"select {listed} from {table} where rowid in ({numbers}){order}", values

    def _after(self, cursor: duckdb.DuckDBPyConnection, after: int | None) -> tuple[list[str], list[Any]]:
        """The condition that rows come after that one, which must be one of the selection."""
        if after is None:
            return [], []
        order = self.ordered()
        where, values = self.where("rowid = ?")
        listed = ", ".join(_name(column) for column, _ in order)
        query = f"select {listed} from {identifier(self.table)}{where}"
        found = cursor.execute(query, [*values, after]).fetchone()
        if found is None:
            raise foreign_cursor()
        steps, bound = [], []
        for at, ((column, falls), value) in enumerate(zip(order, found, strict=True)):
            if value is None:
                continue
            before = [*zip((name for name, _ in order[:at]), found[:at], strict=True)]
            equal = [f"{_name(name)} {'is null' if was is None else '= ?'}" for name, was in before]
            beyond = f"({_name(column)} {'<' if falls else '>'} ? or {_name(column)} is null)"
            if column == "rowid":
                beyond = "rowid > ?"
            steps.append(" and ".join([*equal, beyond]))
            bound += [*(was for _, was in before if was is not None), value]
        return ["(" + " or ".join(f"({step})" for step in steps) + ")"], bound


def tables(snapshot: Snapshot, scope: Scope) -> dict[str, Mapping[str, Any]]:
    """The tables that a scope may open, as the manifest tells them; `rows` are those that it may see."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, told in snapshot.tables.items():
        if rows_open(name, told, scope) != "none":
            forced = _forced(name, told, scope)
            rows = Selection(snapshot, scope, name, (), forced).count() if forced else told["rows"]
            found[name] = {**told, "rows": rows}
    return found


def _forced(table: str, told: Mapping[str, Any], scope: Scope) -> tuple[Condition, ...]:
    """The rows that a scope may see of a table: nobody's choice."""
    if rows_open(table, told, scope) == "all":
        return ()
    return (Condition(own_column(told, scope), "", (scope.pupil_key or scope.school_code,)),)


def select(
    snapshot: Snapshot,
    scope: Scope,
    table: str,
    pairs: Pairs = (),
    sort: str = "",
    fields: str = "",
    fixed: Pairs = (),
    own: Sequence[str] = filters.PLAIN,
) -> Selection:
    """What is asked of a table; `fixed` holds beside what `pairs` say, whatever that is.

    Raises ProblemError for a table that is not open to the scope, a parameter that it does not have, a value
    of another type, and a code that no list knows.
    """
    told = snapshot.tables.get(table)
    if told is None or rows_open(table, told, scope) == "none":
        raise ProblemError(404, "unknown-table", "没有这张表", f"{table} is not in {API}/tables")
    columns: Columns = {column["name"]: column for column in told["columns"]}
    forced = _forced(table, told, scope)
    asked = (*filters.conditions(fixed, columns), *filters.conditions(pairs, columns, own))
    selection = Selection(
        snapshot,
        scope,
        table,
        filters.fields(fields, columns),
        (*forced, *asked),
        filters.order(sort, columns),
        len(forced),
    )
    for one in asked:
        if not one.operator and (strange := codes.unknown(one.column, one.values)):
            _check_codes(selection, forced, one.column, strange)
    return selection


def _check_codes(
    selection: Selection, forced: tuple[Condition, ...], column: str, strange: list[str]
) -> None:
    """Refuse codes that the table does not have either."""
    seen = Selection(selection.snapshot, selection.scope, selection.table, (column,), forced)
    where, values = seen.where()
    query = f"select distinct {identifier(column)} from {identifier(seen.table)}{where}"
    with seen.snapshot.asked() as cursor:
        found = {value for (value,) in cursor.execute(query, values).fetchall()}
    if {*strange} - found:
        raise codes.refused(column, sorted(value for value in found if value is not None))


def check_version(selection: Selection, asked: str) -> None:
    """Refuse a release in which the table makes another promise than the reader was written for."""
    if not asked:
        return
    if not re.fullmatch(r"\d{1,5}(\.(\d{1,5}|\*)){0,2}", asked):
        raise filters.wrong("table_version", "应如 2.* 或 2.1.0", "must be such as 2.* or 2.1.0")
    have = selection.version or "1.0.0"
    parts = zip(asked.split("."), have.split("."), strict=False)
    if any(want not in ("*", part) for want, part in parts):
        number = selection.snapshot.release.number
        raise ProblemError(
            409,
            "other-table-version",
            "数据表的版本不同",
            f"release {number} has {selection.table} {have}, not {asked}: read what changed at "
            f"{API}/release, or pin a release by ?release=",
            detail_zh=f"第 {number} 版中 {selection.table} 的版本为 {have}，不是 {asked}。"
            f"请查看变更说明，或用 ?release= 指定版本",
        )


def cursor_of(selection: Selection, place: int, after: int) -> str:
    """A cursor: the release, how many rows came before, the last of them, and what was asked."""
    told = f"{selection.snapshot.release.number}.{place}.{after}.{selection.mark}"
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def released(cursor: str) -> int | None:
    """The release of a cursor; None without one."""
    return _cursor(cursor)[0] if cursor else None


def position(selection: Selection, cursor: str) -> tuple[int, int | None]:
    """How many rows came before, and the last of them. Raises ProblemError for another question."""
    if not cursor:
        return 0, None
    number, place, after, mark = _cursor(cursor)
    if number != selection.snapshot.release.number or mark != selection.mark:
        raise foreign_cursor()
    return place, after


def _cursor(cursor: str) -> tuple[int, int, int, str]:
    try:
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        told = ""
    found = re.fullmatch(r"(\d{1,9})\.(\d{1,15})\.(\d{1,15})\.([0-9a-f]{16})", told)
    if found is None:
        raise filters.wrong("cursor", "请使用上一页给出的 next", "take it from `next` of the page before")
    return int(found[1]), int(found[2]), int(found[3]), found[4]


def foreign_cursor() -> ProblemError:
    """A cursor that another question gave."""
    return ProblemError(
        422,
        "other-cursor",
        "翻页位置与参数不符",
        "the cursor belongs to other filters, another order or another release: begin anew without it",
        detail_zh="该翻页位置属于另一组筛选条件、排序或版本，请去掉 cursor 从第一页开始",
    )


def _name(column: str) -> str:
    return column if column == "rowid" else identifier(column)
