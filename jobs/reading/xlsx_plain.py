"""Sheets whose XML is spelled as Excel and its like spell it, read in columns and not cell by cell.

A piece of a sheet is taken only if all of it, to the last character, is rows and cells of that one spelling.
Anything else (other quotation marks, texts of a cell's own, comments, blanks between tags) is left to the
parser (`xlsx`), which reads every spelling and decides what is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.reading.sheet import BLOCK_LINES, LINES

_PIECE = 8 * 1024**2
_ROW = r'<row(?: [\w:.]+="[^"<>&]*")* ?'
# Rows without cells, and the one whose cells follow.
_BEFORE = rf"(?:{_ROW}(?:/>|></row>))*(?P<open>{_ROW}>)?"
_CELL = (
    r'^(?P<column>[A-Z]{1,3})(?P<row>\d{1,7})"(?: s="(?P<style>\d{1,5})")?(?: t="(?P<kind>s|n|str|e|b)")?'
    r"(?:/>|>(?P<formula><f(?: [^<>]*)?/>|<f(?: [^<>]*)?>[^<]*</f>)?"
    rf"(?:<v>(?P<value>[^<&]+)</v>|(?P<blank><v/>|<v></v>))?</c>)(?P<rest>(?:</row>{_BEFORE})?)$"
)
_TOLD = ("kind", "value", "blank", "style", "formula")
# Numbers that are their own text: no noise, no exponent, no noughts at their end.
_AS_SHOWN = r"^(?:\d{1,14}|-[1-9]\d{0,13}|-?(?:0|[1-9]\d{0,8})\.\d{0,3}[1-9])$"
_TAG = re.compile(r'<row(?= [^<>]*\br="(\d{1,7})")(?: [^<>]*?\bhidden="(1|true)")?')

Numbers = np.ndarray[Any, np.dtype[np.int64]]
# (kind, value, style, whether there is a formula) of a cell -> what it shows.
Tell = Callable[[str | None, str | None, str | None, bool], str]


class OtherSpelling(Exception):  # noqa: N818  # no error: the parser takes over
    """A piece of the sheet is not spelled so."""


@dataclass
class Plain:
    """The rows of one sheet, out of its body. `texts` are the shared ones; in `special` styles a number shows
    another text. `place_of` gives the place of a column by its letters.
    """

    body: bytes
    texts: pa.Array
    special: frozenset[str]
    tell: Tell
    place_of: Callable[[str], int]
    most_cells: int
    last_row: int = 0
    widest: int = 0
    hidden_rows: int = 0
    _held: int = 0
    _last_tag: int = 0
    _hidden: set[int] = field(default_factory=set)

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows that have a cell. Raises OtherSpelling; rows up to `last_row` are out by then."""
        at = 0
        while at < len(self.body):
            end = len(self.body)
            if at + _PIECE < end:
                end = self.body.rfind(b"</row>", at, at + _PIECE) + len(b"</row>")
                if end <= at:
                    raise OtherSpelling
            yield from self._piece(self.body[at:end])
            at = end

    def _piece(self, piece: bytes) -> Iterator[pa.RecordBatch]:
        try:
            text = pa.array([piece.decode()], pa.large_string())
        except UnicodeDecodeError as error:
            raise OtherSpelling from error
        chunks = pc.split_pattern(text, '<c r="').values
        first = chunks[0].as_py()
        begin = re.fullmatch(_BEFORE, first)
        if not begin or bool(begin["open"]) != (len(chunks) > 1):
            raise OtherSpelling
        if len(chunks) == 1:
            return
        cells = pc.extract_regex(chunks.slice(1), _CELL)
        if cells.null_count:
            raise OtherSpelling
        rows = self._rows(first, cells)
        columns = self._columns(cells, rows)
        shown = self._shown(cells)
        is_written = pc.not_equal(shown, "")
        kept = is_written.to_numpy(zero_copy_only=False)
        if kept.any():
            yield from self._lines(rows[kept], columns[kept], shown.filter(is_written))

    def _rows(self, first: str, cells: pa.StructArray) -> Numbers:
        """The number of each cell's row, on which its own name and its row's tag agree; rows rise."""
        rows: Numbers = cells.field("row").cast(pa.int64()).to_numpy()
        rest = cells.field("rest")
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        closes = pc.not_equal(rest, "").to_numpy(zero_copy_only=False)
        opens = pc.not_equal(cells.field("open"), "").to_numpy(zero_copy_only=False)
        # A row ends where the next one begins, and the last one ends.
        if not closes[-1] or opens[-1] or (closes[:-1] != opens[:-1]).any():
            raise OtherSpelling
        if not np.array_equal(np.flatnonzero(opens) + 1, begins[1:]):
            raise OtherSpelling
        told = [first, *rest.filter(pa.array(closes)).to_pylist()]
        for nth, between in enumerate(told):
            tags = _TAG.findall(between)
            if len(tags) != between.count("<row"):
                raise OtherSpelling
            for number, is_hidden in tags:
                if int(number) <= self._last_tag:
                    raise OtherSpelling
                self._last_tag = int(number)
                if is_hidden:
                    self._hidden.add(self._last_tag)
            if nth < begins.size and self._last_tag != rows[begins[nth]]:
                raise OtherSpelling
        return rows

    def _columns(self, cells: pa.StructArray, rows: Numbers) -> Numbers:
        """The place of each cell in its row; places rise."""
        letters = cells.field("column").dictionary_encode()
        places = np.array([self.place_of(text) for text in letters.dictionary.to_pylist()], np.int64)
        columns: Numbers = places[letters.indices.to_numpy()]
        if ((np.diff(columns) <= 0) & (np.diff(rows) == 0)).any():
            raise OtherSpelling
        return columns

    def _shown(self, cells: pa.StructArray) -> pa.Array:
        """What each cell shows; empty for nothing. Only the rare kinds are looked at one by one."""
        kind, value, style = (cells.field(name) for name in ("kind", "value", "style"))
        bare = pc.equal(cells.field("formula"), "")
        is_shared = pc.and_(pc.equal(kind, "s"), pc.not_equal(value, ""))
        is_number = pc.and_(pc.is_in(kind, pa.array(["", "n"], kind.type)), bare)
        is_ordinary = pc.invert(pc.is_in(style, pa.array(sorted(self.special), style.type)))
        is_as_shown = pc.match_substring_regex(value, _AS_SHOWN)
        is_whole = pc.and_(pc.and_(is_number, is_ordinary), is_as_shown)
        is_empty = pc.and_(pc.and_(bare, pc.equal(value, "")), pc.not_equal(kind, "e"))
        try:
            shared = self.texts.take(value.filter(is_shared).cast(pa.int64()))
        except (pa.ArrowInvalid, pa.ArrowIndexError) as error:
            raise OtherSpelling from error
        others = pc.invert(pc.or_(pc.or_(is_shared, is_whole), is_empty))
        rare = [cells.field(name).filter(others).to_pylist() for name in _TOLD]
        told = [
            self.tell(kind or None, value or ("" if blank else None), style or None, bool(formula))
            for kind, value, blank, style, formula in zip(*rare, strict=True)
        ]
        shown = pc.replace_with_mask(value, is_shared, shared.cast(value.type))
        return pc.replace_with_mask(shown, others, pa.array(told, value.type)).cast(pa.string())

    def _lines(self, rows: Numbers, columns: Numbers, shown: pa.Array) -> Iterator[pa.RecordBatch]:
        """Cells as lines: what a row leaves out between two of them is null."""
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        counts = np.diff(begins, append=rows.size)
        widths = columns[begins + counts - 1] + 1
        self._held += int(widths.sum())
        if self._held > self.most_cells:
            raise OtherSpelling
        numbers = rows[begins]
        self.widest = max(self.widest, int(widths.max()))
        self.hidden_rows += int(np.isin(numbers, list(self._hidden)).sum()) if self._hidden else 0
        offsets = np.concatenate(([0], np.cumsum(widths)))
        places = np.full(offsets[-1], -1, np.int64)
        places[np.repeat(offsets[:-1], counts) + columns] = np.arange(rows.size)
        cells = shown.take(pa.array(places, mask=places < 0))
        lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), cells)
        whole = pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64()), lists], schema=LINES)
        self.last_row = int(numbers[-1])
        for at in range(0, whole.num_rows, BLOCK_LINES):
            yield whole.slice(at, BLOCK_LINES)
