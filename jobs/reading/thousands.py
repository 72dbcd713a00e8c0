"""Thousands commas that nobody quoted, where every line has one: `4,321` became two cells unseen.

A line with more cells than the others is refused as it is. Where all lines have one more, and an empty last
column takes it up, only the numbers tell: one to three digits, and exactly three behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from jobs.declare import Column, heading_key
from jobs.reading.recognize import Table

_BEGIN, _REST = r"^[+-]?[1-9]\d{0,2}$", r"^\d{3}(\.\d+)?$"
_REMARKS = ("备注", "说明", "注", "备考", "附注", "remark", "remarks", "note", "notes", "comment", "comments")


@dataclass
class _Pair:
    """A number's column and the one behind it: whether some line, every line, every written one is split."""

    some: bool = False
    every: bool = True
    every_written: bool = True


class Thousands:
    """Looks at each block of a table; `place` then says which column's numbers were split, if any.

    It is the one before a column of text or of no contract: where every line is split there, and has more
    cells than the heading; or where that column is of remarks, the last, and holds nothing but
    rests. Between two columns of numbers no one can tell.
    """

    def __init__(self, table: Table) -> None:
        last = max((at for at, text in enumerate(table.header) if text.strip()), default=-1)
        own = {at: table.contract.column(name) for name, at in table.positions.items()}
        numbers = [at for at, column in own.items() if _is_number(column) and at < last]
        numbers = [at for at in numbers if at + 1 not in own or _is_text(own[at + 1])]
        behind = own.get(last)
        is_free = behind is None or not behind.required
        is_remark = (
            heading_key(table.header[last]) in _REMARKS if behind is None else is_free and _is_text(behind)
        )
        self._width = table.width
        self._is_wider = True
        self._pairs = {at: _Pair() for at in numbers if is_free or (is_remark and at + 1 == last)}
        self._remark = last - 1 if is_remark else None

    def look(self, block: pa.RecordBatch) -> None:
        cells = block.column("cells")
        if self._is_wider:
            least = pc.min(pc.list_value_length(cells)).as_py()
            self._is_wider = least is None or least > self._width
        for at, pair in self._pairs.items():
            if not self._is_wider and at != self._remark:
                continue
            two = pc.list_slice(cells, at, at + 2, return_fixed_size_list=True)
            begin, rest = (pc.list_element(two, nth) for nth in (0, 1))
            split = pc.and_(_matches(begin, _BEGIN), _matches(rest, _REST))
            written = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(rest), ""), False)
            pair.some |= pc.any(split).as_py() or False
            pair.every &= pc.all(split).as_py() is not False
            pair.every_written &= pc.all(pc.or_(split, pc.invert(written))).as_py() is not False

    @property
    def place(self) -> int | None:
        """The place of the column whose numbers were split."""
        for at, pair in sorted(self._pairs.items()):
            if pair.some and self._is_wider and pair.every:
                return at
            if pair.some and at == self._remark and pair.every_written:
                return at
        return None


def _matches(cells: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(pc.utf8_trim_whitespace(cells), pattern), False)


def _is_number(column: Column) -> bool:
    return not column.codes and (column.type in ("int", "double") or column.type.startswith("decimal"))


def _is_text(column: Column) -> bool:
    return column.type == "string" and not column.codes and not column.pattern and not column.is_identifier
