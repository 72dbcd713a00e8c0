"""Turn values of a release into figures: rounded once, numbered by definition, footnoted.

What a column means in Chinese, its unit and its decimals are declared in `expectations/reports.yaml`; what a
metric means comes from `dim_metric` of the release itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from jobs.files import parse_yaml
from jobs.reports.model import Column, Definition, Facts, Figure, Piece, Table, clean
from jobs.reports.source import Source
from jobs.settings import EXPECTATIONS

NONE = "—"
YES, NO = "是", "否"


@dataclass(frozen=True)
class Declared:
    """What is declared of a figure: name, unit, decimals, factor from the release, meaning, columns."""

    zh: str
    unit: str
    decimals: int
    scale: int
    meaning: str
    source: str


@cache
def declared() -> dict[str, Declared]:
    """`table.figure` -> what `expectations/reports.yaml` says of it."""
    found = {}
    for table, figures in parse_yaml((EXPECTATIONS / "reports.yaml").read_text(encoding="utf-8")).items():
        for name, one in figures.items():
            found[f"{table}.{name}"] = Declared(
                one["zh"],
                one.get("unit", ""),
                one.get("decimals", 0),
                100 if one.get("unit") == "%" and not one.get("is_percent") else 1,
                one["meaning"],
                f"{table}.{one.get('of', name)}",
            )
    return found


class Book:
    """What a report under construction has used so far: definitions by number, footnotes by mark."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._numbers: dict[str, int] = {}
        self._definitions: list[Definition] = []
        self._marks: dict[str, str] = {}
        self._metrics: dict[str, dict[str, Any]] = {}
        if source.has("dim_metric"):
            self._metrics = {row["metric_code"]: row for row in source.rows("select * from dim_metric")}

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Those of all figures so far, by number."""
        return tuple(self._definitions)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Mark and text of each footnote so far."""
        return tuple((mark, text) for text, mark in self._marks.items())

    def note(self, text: str) -> str:
        """The mark of a footnote; the same text has one mark."""
        return self._marks.setdefault(clean(text), _letters(len(self._marks)))

    def define(self, key: str, label: str, unit: str, meaning: str, source: str) -> int:
        """The number of a definition, made at its first use."""
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._definitions.append(
                Definition(self._numbers[key], label, unit or NONE, meaning, source, self.source.as_of)
            )
        return self._numbers[key]

    def number(self, key: str) -> int:
        """The number of the definition of a declared figure."""
        one = declared()[key]
        return self.define(key, one.zh, one.unit, one.meaning, one.source)

    def figure(
        self,
        key: str,
        value: object,
        *notes: str,
        why: str = "",
        unit: bool = False,
        decimals: int | None = None,
    ) -> Figure:
        """A figure of a declared column; `why`: the reason where it has no value. `unit`: print the unit."""
        one = declared()[key]
        return self._figure(
            self.number(key),
            value,
            one.decimals if decimals is None else decimals,
            one.scale,
            one.unit if unit else "",
            notes,
            why,
        )

    def metric(self, code: str, value: object, *notes: str, why: str = "", unit: bool = False) -> Figure:
        """A figure of a metric, with unit, decimals and footnote as `dim_metric` declares them."""
        about = self._metrics[code]
        own_note = about["footnote_zh"]
        return self._figure(
            self.metric_number(code),
            value,
            about["decimals"],
            1,
            about["unit_zh"] if unit else "",
            (*notes, own_note + "。") if own_note and value is not None else notes,
            why,
        )

    def metric_number(self, code: str) -> int:
        """The number of a metric's definition."""
        about = self._metrics[code]
        meaning = f"{about['definition_zh']}。"
        if about["numerator_zh"] and about["denominator_zh"]:
            meaning += f"分子：{about['numerator_zh']}；分母：{about['denominator_zh']}。"
        if about["clause"]:
            meaning += f"依据：{about['clause']}。"
        source = about["source_tables"] or ""
        listed = source if isinstance(source, str) else "、".join(source)
        return self.define(
            f"metric:{code}",
            about["metric_zh"],
            about["unit_zh"],
            meaning,
            f"fct_metric_value（{listed}）",
        )

    def metric_name(self, code: str) -> str:
        """The metric's name."""
        return str(self._metrics[code]["metric_zh"])

    def metric_unit(self, code: str) -> str:
        """The metric's unit."""
        return str(self._metrics[code]["unit_zh"])

    def metric_column(self, code: str) -> Column:
        """The heading of a column of one metric."""
        label = f"{self.metric_name(code)}（{self.metric_unit(code)}）"
        return Column(label, self.metric_number(code), is_number=True)

    def _figure(
        self, number: int, value: object, decimals: int, scale: int, unit: str, notes: Iterable[str], why: str
    ) -> Figure:
        marks = [self.note(text) for text in notes if text]
        if value is None:
            marks += [self.note(why)] if why else []
            return Figure(NONE, None, number, tuple(dict.fromkeys(marks)))
        exact = Decimal(str(value)) * scale
        text = printed(exact, decimals)
        return Figure(f"{text}{unit}", exact, number, tuple(dict.fromkeys(marks)))

    def columns(self, first: str, keys: Sequence[str | Column]) -> tuple[Column, ...]:
        """Headings of a table: the row heading's, then one for each declared figure or ready column."""
        return (Column(first), *(key if isinstance(key, Column) else self.column(key) for key in keys))

    def column(self, key: str, label: str = "") -> Column:
        """The heading of a declared figure, its unit in brackets."""
        one = declared()[key]
        unit = f"（{one.unit}）" if one.unit else ""
        return Column(f"{label or one.zh}{unit}", self.number(key), is_number=True)

    def table(
        self, caption: str, first: str, keys: Sequence[str | Column], rows: Iterable[Sequence[Piece]]
    ) -> Table:
        """A table whose cells are ready pieces."""
        return Table(caption, self.columns(first, keys), tuple(tuple(row) for row in rows))


def facts(*pairs: tuple[str, Piece | None]) -> Facts:
    """Facts, a dash for what is not known."""
    return Facts(tuple((name, NONE if piece in (None, "") else piece) for name, piece in pairs))  # type: ignore[misc]


def printed(value: Decimal, decimals: int) -> str:
    """A number as printed: rounded half up, thousands marked."""
    rounded = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    # Adding nothing takes the sign from a zero.
    return f"{rounded + 0:,}"


def yes_no(value: bool | None) -> str:
    """是, 否 or a dash."""
    return NONE if value is None else YES if value else NO


def day(value: date | None) -> str:
    """A day in Chinese, or a dash."""
    return f"{value.year}年{value.month}月{value.day}日" if value else NONE


def school_year(start: int) -> str:
    """Label of a school year."""
    return f"{start}—{start + 1}学年"


def _letters(index: int) -> str:
    """a … z, aa, ab …"""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(97 + rest) + letters
    return letters
