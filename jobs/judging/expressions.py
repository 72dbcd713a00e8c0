"""Expressions over one row as DuckDB's SQL, composed in Python the way Spark's columns are.

Only what depends on a contract is composed here: reading values, and the rules of single columns. A rule
that can be written down stands in its contract as SQL. An expression is a text; nothing runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jobs.sql import literals

Scalar = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Sql:
    """One expression. Operators make expressions; a null in a condition is neither true nor false."""

    text: str

    def __str__(self) -> str:
        return self.text

    def _with(self, operator: str, other: Sql | Scalar) -> Sql:
        return Sql(f"({self} {operator} {lit(other)})")

    def __and__(self, other: Sql) -> Sql:
        return self._with("and", other)

    def __or__(self, other: Sql) -> Sql:
        return self._with("or", other)

    def __invert__(self) -> Sql:
        return Sql(f"(not {self})")

    def __eq__(self, other: Sql | Scalar) -> Sql:  # type: ignore[override]
        return self._with("=", other)

    def __ne__(self, other: Sql | Scalar) -> Sql:  # type: ignore[override]
        return self._with("<>", other)

    def __lt__(self, other: Sql | Scalar) -> Sql:
        return self._with("<", other)

    def __gt__(self, other: Sql | Scalar) -> Sql:
        return self._with(">", other)

    def __ge__(self, other: Sql | Scalar) -> Sql:
        return self._with(">=", other)

    def __add__(self, other: Sql | Scalar) -> Sql:
        return self._with("+", other)

    def __mul__(self, other: Sql | Scalar) -> Sql:
        return self._with("*", other)

    def __mod__(self, other: Sql | Scalar) -> Sql:
        return self._with("%", other)

    def __floordiv__(self, other: Sql | Scalar) -> Sql:
        return self._with("//", other)

    def between(self, low: Sql | Scalar, high: Sql | Scalar) -> Sql:
        return Sql(f"({self} between {lit(low)} and {lit(high)})")

    def is_null(self) -> Sql:
        return Sql(f"({self} is null)")

    def is_given(self) -> Sql:
        return Sql(f"({self} is not null)")

    def is_in(self, words: Iterable[Scalar]) -> Sql:
        return Sql(f"({self} in ({', '.join(str(lit(word)) for word in words)}))")

    def matches(self, pattern: str) -> Sql:
        """Whether the pattern (RE2) is found anywhere in the text."""
        return Sql(f"regexp_matches({self}, {literals(pattern)})")

    def cast(self, kind: str) -> Sql:
        return Sql(f"cast({self} as {kind})")

    def try_cast(self, kind: str) -> Sql:
        """The value in another type; null where it cannot be."""
        return Sql(f"try_cast({self} as {kind})")

    def named(self, name: str) -> str:
        return f'{self} as "{name}"'


def lit(value: Sql | Scalar) -> Sql:
    """A literal; an expression as it is. A float is a double, never a decimal."""
    match value:
        case Sql():
            return value
        case None:
            return Sql("null")
        case str():
            return Sql(literals(value))
        case float():
            return Sql(f"{value!r}::double")
    return Sql(str(value).lower())


def col(name: str) -> Sql:
    """A column."""
    return Sql(f'"{name}"')


def call(function: str, *arguments: Sql | Scalar) -> Sql:
    """A call of a function of DuckDB."""
    return Sql(f"{function}({', '.join(str(lit(argument)) for argument in arguments)})")


def coalesce(*values: Sql | Scalar) -> Sql:
    """The first value that is not null."""
    return call("coalesce", *values)


def substring(text: Sql, begin: int | Sql, length: int) -> Sql:
    """A part of a text; `begin` counts from 1."""
    return call("substring", text, begin, length)


def replaced(text: Sql, pattern: str, by: str) -> Sql:
    """The text with every match of the pattern replaced; groups are `\\1`."""
    return call("regexp_replace", text, pattern, by, "g")


def extracted(text: Sql, pattern: str, group: int) -> Sql:
    """A group of the first match; an empty text where nothing matches."""
    return call("regexp_extract", text, pattern, group)


def choose(*cases: tuple[Sql, Sql | Scalar], otherwise: Sql | Scalar = None) -> Sql:
    """The value behind the first condition that is true."""
    whens = " ".join(f"when {condition} then {lit(value)}" for condition, value in cases)
    return Sql(f"(case {whens} else {lit(otherwise)} end)")


def mapped(text: Sql, table: dict[str, str]) -> Sql:
    """Look the text up in `table`; null if absent."""
    pairs = ", ".join(f"{literals(key)}: {literals(value)}" for key, value in table.items())
    return Sql(f"map {{{pairs}}}[{text}]")


def item(values: Sql, place: int | Sql) -> Sql:
    """An item of a list, counted from 0; null beyond its ends."""
    return Sql(f"{values}[{lit(place)} + 1]")


def each(values: Sql, make: Callable[[Sql], Sql]) -> Sql:
    """The list with something made of every item."""
    return Sql(f"list_transform({values}, lambda one: {make(Sql('one'))})")


def alike(rows: str, columns: Mapping[str, tuple[str, Callable[[Sql], Sql]]]) -> str:
    """Put columns beside `rows`: name -> the column that it is made of, and how.

    Those made in one way share one expression over a list of them: DuckDB plans it once, and compiles its
    patterns once, where a contract has thirty columns. A name that `rows` has already is replaced.
    """
    groups: dict[str, list[str]] = {}
    for name, (_, make) in columns.items():
        groups.setdefault(str(make(Sql("one"))), []).append(name)
    lists: dict[str, Sql] = {}
    found: dict[str, Sql] = {}
    for names in groups.values():
        shared = f"_alike_{len(lists)}"
        sources = ", ".join(str(col(columns[name][0])) for name in names)
        lists[shared] = each(Sql(f"[{sources}]"), columns[names[0]][1])
        found |= {name: item(col(shared), place) for place, name in enumerate(names)}
    if not lists:
        return rows
    made = f"select *, {', '.join(value.named(name) for name, value in lists.items())} from ({rows})"
    replaced = [name for name in found if name == columns[name][0]]
    kept = f"* exclude ({', '.join([*lists, *replaced])})"
    return f"select {', '.join([kept, *(value.named(name) for name, value in found.items())])} from ({made})"


def listed(text: Sql) -> Sql:
    """The parts of a text between `|`; an empty list for an empty text."""
    return choose((text == "", Sql("[]::varchar[]")), otherwise=call("string_split", text, "|"))
