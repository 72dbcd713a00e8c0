"""Files made from a contract: its headings in its order, values spelled as one sender's office spells them.

A writer gives columns by the contract's names with our own values (codes, days, truth, numbers); what a
sender calls and writes them comes from `expectations/`, so that a contract that changes changes the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from jobs import declare
from synthetic.city.numbers import Stream, stream
from synthetic.city.old_workbook import MOST_ROWS, old_workbook
from synthetic.city.workbook import Cell, Table, workbook
from synthetic.city.writers import Landing, csv_bytes, ndjson_bytes

# Containers of offices: shares of senders. Assumptions; that all of them occur is seen (feed_headers.md).
OFFICE_SHARES = {"gb18030": 0.45, "utf-8-sig": 0.20, "xlsx": 0.25, "xls": 0.10}
_DAYS = {
    "compact": lambda d: f"{d:%Y%m%d}",
    "dashed": date.isoformat,
    "slashed": lambda d: f"{d.year}/{d.month}/{d.day}",
}


@dataclass(frozen=True)
class Dress:
    """How one office writes: `container` gb18030 | utf-8-sig | xlsx | xls | ndjson, codes or words, days."""

    container: str = "gb18030"
    in_words: bool = False
    days: str = "compact"
    has_title: bool = False
    in_english: bool = False  # headings of programs rather than of forms, where a column has one

    @property
    def is_workbook(self) -> bool:
        return self.container in ("xlsx", "xls")

    def first_line(self, around: int = 0) -> int:
        """The number of the first data line: behind a title and `around` lines in workbooks, and headings."""
        if self.is_workbook:
            return 2 + self.has_title + around
        return 1 if self.container == "ndjson" else 2

    @property
    def ending(self) -> str:
        return self.container if self.container in ("xlsx", "xls", "ndjson") else "csv"


@cache
def office(seed: int, district: int, dataset: str) -> Dress:
    """The dress of one district's office for one dataset, every year the same."""
    rng = stream(seed, Stream.DISTRICT, district, 2, sum(map(ord, dataset)))
    draw = rng.random(4)
    limits = np.cumsum(list(OFFICE_SHARES.values()))
    container = list(OFFICE_SHARES)[min(int(np.searchsorted(limits, draw[0])), len(limits) - 1)]
    days = ("compact", "dashed", "slashed")[int(draw[2] * 3)]
    return Dress(container, bool(draw[1] < 0.5), days, bool(draw[3] < 0.25))


@dataclass(frozen=True)
class Around:
    """Lines of a form above its headings, and between these and the data."""

    above: tuple[Sequence[Cell], ...] = ()
    below: tuple[Sequence[Cell], ...] = ()


@dataclass(frozen=True)
class Filled:
    """A dataset's headings and rows, spelled."""

    headings: list[str]
    rows: list[list[Cell]]

    def column(self, heading: str) -> int:
        return self.headings.index(heading)


def fill(dataset: str, columns: Mapping[str, Sequence[Any]], dress: Dress) -> Filled:
    """Columns by the contract's names -> the sheet as this office fills it in; one not given is left out.

    Raises KeyError for a column that the contract lacks, ValueError where a required one is not given.
    """
    contract = declare.load()[dataset]
    declared = {c.name: c for c in contract.columns}
    for name in columns:
        declared[name]
    lacking = [c.name for c in contract.columns if c.required and c.name not in columns]
    if lacking:
        raise ValueError(f"{dataset} lacks {lacking}")
    given = [c for c in contract.columns if c.name in columns]
    spelled = [_spell(column, columns[column.name], dress) for column in given]
    headings = [_heading(column, dress) for column in given]
    return Filled(headings, [list(row) for row in zip(*spelled, strict=True)])


def spell_filled(headings: list[str], rows: list[list[Cell]]) -> Filled:
    """A sheet whose values are spelled already."""
    return Filled(headings, rows)


def _heading(column: declare.Column, dress: Dress) -> str:
    english = [h for h in column.headings if h.isascii()]
    return english[0] if dress.in_english and english else column.headings[0]


def _spell(column: declare.Column, values: Sequence[Any], dress: Dress) -> list[Cell]:
    if column.codes and column.type == "bool":
        yes, no = ("是", "否") if dress.in_words else ("1", "0")
        return [None if v is None else yes if v else no for v in values]
    if column.codes:
        words = _words(column.codes, column.codes_column, dress.in_words)
        return [None if v is None else words.get(v, v) for v in values]
    if column.type == "date":
        write = _DAYS[dress.days]
        return [None if v is None else write(v) for v in values]
    return list(values)


@cache
def _words(codes: str, codes_column: str | None, in_words: bool) -> dict[str, str]:
    rows = declare.code_list(codes).rows
    own = codes_column or "code"
    return {row["code"]: (row["meaning_zh"] if in_words else "") or row[own] or row["code"] for row in rows}


def data_of(
    filled: Filled,
    dress: Dress,
    sheet: str,
    title: str,
    around: Around = Around(),
) -> bytes:
    """The bytes of a file of one table. A title and lines around the headings stand only in workbooks."""
    if dress.container == "ndjson":
        return ndjson_bytes(
            {h: v for h, v in zip(filled.headings, row, strict=True) if v is not None} for row in filled.rows
        )
    if dress.is_workbook:
        write = workbook if dress.container == "xlsx" else old_workbook
        heading = title if dress.has_title else None
        return write([Table(sheet, filled.headings, filled.rows, heading, around.above, around.below)])
    return csv_bytes(filled.headings, filled.rows, dress.container)


def send(
    landing: Landing,
    dataset: str,
    sender: str,
    day: date,
    stem: str,
    filled: Filled,
    dress: Dress,
    number: int = 1,
    around: Around = Around(),
    sheet: str | None = None,
) -> str:
    """Write one file of one table. Returns its path in the landing; without rows nothing is written.

    A table too large for an old workbook is sent as a new one.
    """
    contract = declare.load()[dataset]
    if dress.container == "xls" and len(filled.rows) > MOST_ROWS - 3:
        dress = replace(dress, container="xlsx")
    name = f"{stem}.{dress.ending}"
    if filled.rows:
        data = data_of(filled, dress, sheet or contract.zh, stem, around)
        landing.put(contract.feed, sender, day, name, data, len(filled.rows), number)
    return f"{contract.feed}/{sender}/{day.isoformat()}_{number}/{name}"
