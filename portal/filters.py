"""Filters and orders of a table as an address writes them: `district_code=110105&score__gte=60&sort=-score`.

    column=a            equal; repeated: any of them        column__ne=a         other than a, or missing
    column__in=a,b      any of them                         column__null=true    missing
    column__gt=1        and __gte, __lt, __lte              column__contains=a   has this text in it

Values are read by the column's type. Different parameters all hold together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from jobs.sql import identifier
from portal.problems import ProblemError

Pairs = Sequence[tuple[str, str]]
Columns = Mapping[str, Mapping[str, Any]]

# Parameters of a table that are no filters.
PLAIN = ("sort", "fields", "limit", "cursor", "format", "header", "release", "table_version")
OPERATORS = ("ne", "gt", "gte", "lt", "lte", "in", "null", "contains")
_COMPARED = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_REPEATED = ("", "ne", "in", "contains")
_MOST_VALUES = 500
_BITS = {"TINYINT": 7, "SMALLINT": 15, "INTEGER": 31, "BIGINT": 63, "HUGEINT": 127}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Condition:
    """One condition on a column: an operator and the values of which one must hold (all of `ne`)."""

    column: str
    operator: str
    values: tuple[Any, ...]

    def sql(self) -> str:
        """The condition in SQL, with `?` for each value."""
        name, marks = identifier(self.column), ", ".join("?" for _ in self.values)
        match self.operator:
            case "ne":
                return f"({name} not in ({marks}) or {name} is null)"
            case "null":
                return f"{name} is null" if self.values[0] else f"{name} is not null"
            case "contains":
                return "(" + " or ".join(f"contains(lower({name}), lower(?))" for _ in self.values) + ")"
            case compared if compared in _COMPARED:
                return f"{name} {_COMPARED[compared]} ?"
        return f"{name} in ({marks})"

    @property
    def bound(self) -> tuple[Any, ...]:
        """The values of the marks in `sql`."""
        return () if self.operator == "null" else self.values


def is_filtered_by(kind: str) -> bool:
    """Whether a column of this type can be filtered: one of plain values."""
    return _reader(kind) is not None


def operators_of(kind: str) -> tuple[str, ...]:
    """The operators that fit a column of this type, the empty one first."""
    if not is_filtered_by(kind):
        return ()
    if kind == "BOOLEAN":
        return ("", "null")
    return ("", *(one for one in OPERATORS if one != "contains" or kind == "VARCHAR"))


def conditions(pairs: Pairs, columns: Columns, own: Sequence[str] = PLAIN) -> tuple[Condition, ...]:
    """The conditions that the parameters say. Raises ProblemError for a value that is none of the column's
    type, and for a parameter that is none of the table's; `own`: those of the route that are no filters.
    """
    texts: dict[tuple[str, str], list[str]] = {}
    for name, text in pairs:
        column, _, operator = name.partition("__")
        if column not in columns or operator not in operators_of(columns[column]["type"]):
            raise _unknown([name], columns, own)
        texts.setdefault((column, operator), []).append(text)
    found = []
    for (column, operator), told in sorted(texts.items()):
        shown = f"{column}__{operator}" if operator else column
        if operator == "in":
            told = [part for text in told for part in text.split(",")]
        if len(told) > 1 and operator not in _REPEATED:
            raise wrong(shown, "这个参数只能给一次", "give it once")
        if len(told) > _MOST_VALUES:
            raise wrong(shown, f"最多给 {_MOST_VALUES} 个值", f"at most {_MOST_VALUES} values")
        kind = "BOOLEAN" if operator == "null" else columns[column]["type"]
        values = tuple(dict.fromkeys(value_of(kind, text, shown) for text in told))
        found.append(Condition(column, operator if operator != "in" else "", values))
    return tuple(found)


def schema_of(kind: str) -> dict[str, Any]:
    """A value of a column of this type in JSON, for OpenAPI."""
    if "INT" in kind:
        return {"type": "integer"}
    if kind.startswith("DECIMAL") or kind in ("DOUBLE", "FLOAT"):
        return {"type": "number"}
    if kind == "BOOLEAN":
        return {"type": "boolean"}
    formats = {"DATE": {"format": "date"}, "TIMESTAMP": {"format": "date-time"}}
    return {"type": "string", **formats.get(kind, {})}


def given(filters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Filters of Python as an address would write them: a list is any of its values, None is missing."""
    pairs = []
    for name, value in filters.items():
        for one in value if isinstance(value, list | tuple | set | frozenset) else [value]:
            if one is None:
                pairs.append((f"{name.partition('__')[0]}__null", "true"))
            else:
                pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs


def order(text: str, columns: Columns) -> tuple[tuple[str, bool], ...]:
    """`a,-b` as (column, whether it falls). Raises ProblemError for what is no column, or one named twice."""
    found: dict[str, bool] = {}
    for word in filter(None, text.split(",")):
        name = word.removeprefix("-")
        if name not in columns:
            raise _no_column("sort", name, columns)
        if name in found:
            raise wrong("sort", f"{name} 出现了两次", f"{name} is named twice")
        found[name] = word.startswith("-")
    return tuple(found.items())


def fields(text: str, columns: Columns) -> tuple[str, ...]:
    """`a,b` as the names of columns, all where none is named. Raises ProblemError for what is no column."""
    named = tuple(dict.fromkeys(filter(None, text.split(","))))
    for name in named:
        if name not in columns:
            raise _no_column("fields", name, columns)
    return named or tuple(columns)


def value_of(kind: str, text: str, shown: str) -> Any:
    """A value by the column's type. Raises ProblemError, which names the parameter and the type."""
    read = _reader(kind)
    if read is None:
        raise wrong(shown, "这个字段不能筛选", "this column cannot be filtered")
    try:
        if not text or "\x00" in text or len(text) > 1000:
            raise ValueError
        return read(text)
    except (ValueError, InvalidOperation, KeyError, OverflowError) as error:
        zh, en = _expected(kind)
        raise wrong(shown, f"应为{zh}", f"must be {en}") from error


def wrong(shown: str, zh: str, en: str) -> ProblemError:
    """A parameter that cannot be used, in both languages."""
    return ProblemError(422, "invalid-parameter", "参数不正确", f"{shown}: {en}", detail_zh=f"{shown}：{zh}")


def unknown(names: Iterable[str], known: Iterable[str]) -> ProblemError:
    """Parameters that a route does not know, with those that it does."""
    # What was sent may be anything: only what looks like a name is repeated.
    told = ", ".join(name if re.fullmatch(r"\w{1,60}", name, re.ASCII) else "?" for name in names)
    listed = ", ".join(known) or "-"
    return ProblemError(
        422,
        "unknown-parameter",
        "没有这个参数",
        f"unknown parameter: {told}. Known: {listed}",
        detail_zh=f"未知参数：{told}。可用参数：{listed}",
    )


def _unknown(names: list[str], columns: Columns, own: Sequence[str]) -> ProblemError:
    can = [name for name, column in columns.items() if is_filtered_by(column["type"])]
    endings = ", ".join(f"__{one}" for one in OPERATORS)
    return unknown(names, [*own, *can, f"and each column with {endings} as its type allows"])


def _no_column(shown: str, name: str, columns: Columns) -> ProblemError:
    told = name if re.fullmatch(r"\w{1,60}", name, re.ASCII) else "?"
    listed = ", ".join(columns)
    return wrong(shown, f"没有字段 {told}。可用字段：{listed}", f"no column {told}. Columns: {listed}")


def _reader(kind: str) -> Any:
    base = kind.removeprefix("U") if kind.startswith("U") and kind.endswith("INT") else kind
    if base in _BITS or kind == "UINTEGER":
        return lambda text: _whole(text, _BITS.get(base, 31))
    if decimal := _DECIMAL.fullmatch(kind):
        return lambda text: _decimal(text, int(decimal[1]) - int(decimal[2]))
    return {
        "VARCHAR": str,
        "BOOLEAN": lambda text: _TRUTH[text.lower()],
        "DOUBLE": _double,
        "FLOAT": _double,
        "DATE": _date,
        "TIMESTAMP": datetime.fromisoformat,
    }.get(kind)


def _whole(text: str, bits: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,39}", text, re.ASCII) or not -(2**bits) <= int(text) < 2**bits:
        raise ValueError
    return int(text)


def _decimal(text: str, digits: int) -> Decimal:
    if not _NUMBER.fullmatch(text) or len(text) > 38 or abs(Decimal(text)) >= Decimal(10) ** max(digits, 1):
        raise ValueError
    return Decimal(text)


def _double(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return float(text)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError
    return date.fromisoformat(text)


def _expected(kind: str) -> tuple[str, str]:
    if "INT" in kind:
        return "整数", f"a whole number ({kind})"
    if kind == "BOOLEAN":
        return " true 或 false", "true or false"
    if kind == "DATE":
        return "日期，如 2025-09-01", "a date such as 2025-09-01"
    if kind == "TIMESTAMP":
        return "时间，如 2025-09-01T08:00:00", "a time such as 2025-09-01T08:00:00"
    if kind == "VARCHAR":
        return "不超过 1000 字的文本，不能为空", "a text of at most 1000 characters, not empty"
    return f"数值（{kind}）", f"a number ({kind})"
