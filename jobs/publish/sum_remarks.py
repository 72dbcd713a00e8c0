"""Remarks on a question about a release that sums what its marts say must not be summed so.

A remark is certain or is not made: a column is taken for a mart's only where no other table of the question
has it, and a key for fixed wherever the question names anything like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from jobs.sql import identifier

_SUM = re.compile(r"\bsum\s*\(\s*(?:\w+\.)?\"?(\w+)\"?\s*\)", re.IGNORECASE)
_TIME = r"year|period|month|date"
_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_NEVER = (
    "求和提示：{columns} 不可相加（占比、均值、区间、位次等）。"
    " Not a sum: {columns} never adds up, being a share, mean, bound, rank or the like."
)
_MIXED = (
    "求和提示：{columns} 的合计未限定 {keys}，会把合计行与明细行、不同层级或不同时期加在一起。"
    " Mixed sum: {columns} is summed without a word about {keys}, so totals, levels or years are added"
    " up with one another."
)


def remarks(
    connection: duckdb.DuckDBPyConnection, database: str, text: str, tables: Mapping[str, Any]
) -> list[str]:
    """What who asks an attached release should know of its sums; `tables` as in its manifest."""
    code = _LITERAL.sub(" ", text)
    words = {word.lower() for word in re.findall(r"\w+", code)}
    named = [name for name in tables if name in words and tables[name].get("grain")]
    words -= set(named)
    found = []
    for name in sorted(named):
        columns = {column["name"]: column for column in tables[name]["columns"]}
        others = {column["name"] for other in named if other != name for column in tables[other]["columns"]}
        summed = sorted({column.lower() for column in _SUM.findall(code)} & columns.keys() - others)
        over = {c: columns[c]["additive_over"] for c in summed if columns[c].get("additive_over") is not None}
        of_table = f"{identifier(database)}.main.{identifier(name)}"
        found += _told(_NEVER, name, [column for column, keys in over.items() if not keys])
        mixed: dict[tuple[str, ...], list[str]] = {}
        for column, keys in over.items():
            loose = tuple(_loose(connection, of_table, tables[name], keys, words)) if keys else ()
            mixed.setdefault(loose, []).append(column)
        for loose, listed in mixed.items():
            found += _told(_MIXED, name, listed, ", ".join(loose)) if loose else []
    return found


def _told(line: str, table: str, columns: list[str], keys: str = "") -> list[str]:
    return [line.format(columns=", ".join(f"{table}.{c}" for c in columns), keys=keys)] if columns else []


def _loose(
    connection: duckdb.DuckDBPyConnection,
    of_table: str,
    table: Mapping[str, Any],
    additive: list[str],
    words: set[str],
) -> Iterator[str]:
    """The keys of a mart that must be picked, hold several values, and are like nothing that was named."""
    for key in table["grain"]:
        mark = table["total_marks"].get(key)
        alike = {"unit_code", "district_code"} & {*table["grain"]} if key == "unit_level" else set()
        if (key in additive and mark is None) or _is_named(key, {mark} | alike, words):
            continue
        told = identifier(mark or key)
        ((values,),) = connection.execute(f"select count(distinct {told}) from {of_table}").fetchall()
        if values > 1:
            yield mark or key


def _is_named(key: str, others: set[str | None], words: set[str]) -> bool:
    """Whether a question names the key, a column like it, or one of others that decide it."""
    if re.search(_TIME, key):
        return any(re.search(_TIME + "|lead|newest", word) for word in words)
    stem = key.removesuffix("_code").removesuffix("_key").removesuffix("_start").removesuffix("_date")
    return bool(({key, stem} | others) & words) or any(word.startswith(f"{stem}_") for word in words)
