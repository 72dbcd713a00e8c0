"""Workbooks of today (xlsx), cell by cell as their XML unpacks; each visible sheet is one table.

Cells hold what the sender sees: a number by its format, the cached value of a formula, an error's own word,
the text of a merged cell in each of its rows. A formula that was never calculated has no value: its cell says
so, and no rule takes it for nothing.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pyarrow as pa

from jobs.declare import reasons
from jobs.reading import formats
from jobs.reading.sheet import UNCALCULATED, Sheet, UnreadableError, blocks
from jobs.reading.xlsx_parts import (
    LOCAL,
    About,
    Attributes,
    Book,
    Package,
    is_true,
    number_formats,
    parsed,
    shared_strings,
    unescaped,
)
from jobs.reading.xlsx_plain import OtherSpelling, Plain

MOST_COLUMNS = 16_384
# A sheet above this is read as it unpacks, and never held.
LARGEST_HELD = 256 * 1024**2
_BODY = (b"<sheetData>", b"</sheetData>")
_OTHER_ENCODING = re.compile(rb"""\x00|encoding=["'](?!utf-8["'])""", re.IGNORECASE)
# Of each row the cells from its first column to its last written one are held: in all sheets so many.
LARGEST_SHEET = 40_000_000


def sheets(data: bytes, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    """Yield the visible sheets that have cells, in the workbook's order; hidden ones are named in `remarks`.

    Hidden rows and columns are read, and counted in `remarks`. Raises UnreadableError for a workbook that is
    damaged or a sheet too large to hold.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        package = Package(archive)
        book = Book.of(package)
        if len({about.name for about in book.sheets}) < len(book.sheets):
            # A line of the receipt, the sheet and its row, would mean two.
            raise UnreadableError("workbook_same_names")
        texts, shown = shared_strings(package, book), number_formats(package, book)
        for about in book.sheets:
            rows = _Rows(package, about, book, texts, shown)
            if not about.is_hidden:
                yield Sheet("xlsx", None, member, about.name, rows.blocks(remarks))
            elif next(rows.all([]), None):
                remarks.append(reasons.text("sheet_hidden", sheet=about.name))


class _Columns(dict[str, int]):
    """The letters of a column -> its place: `A` is 0, `AA` is 26."""

    def __missing__(self, letters: str) -> int:
        place = 0
        for letter in letters.upper():
            if not "A" <= letter <= "Z":
                raise UnreadableError("workbook_damaged")
            place = place * 26 + ord(letter) - 64
        if not 0 < place <= MOST_COLUMNS:
            raise UnreadableError("workbook_damaged")
        self[letters] = place - 1
        return place - 1


_COLUMNS = _Columns()


class _Rows:
    """The rows of one sheet; the parser's events fill a row, and each row is taken as soon as it ends."""

    def __init__(
        self,
        package: Package,
        about: About,
        book: Book,
        texts: Sequence[str],
        shown: Sequence[formats.Shown | None],
    ) -> None:
        self._package, self._about, self._book = package, about, book
        self._texts, self._shown = texts, shown
        self._done: list[tuple[int, list[str]]] = []
        self._number = 0
        self._cells: list[str] = []
        self._is_row_hidden = False
        # The cell that is open, and the place of one that names none.
        self._open: Attributes = {}
        self._next = 0
        self._has_formula = False
        self._value: str | None = None
        self._inline = ""
        self._silent = 0
        # Pieces of the text that is open; the parser adds to them.
        self._parts: list[str] = []
        self._held = self._widest = self._hidden_rows = 0
        self._hidden_columns: list[range] = []

    def blocks(self, remarks: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that have a cell, by the fastest way that reads them all; `remarks` as in `all`."""
        plain = self._plain()
        if plain is not None:
            with suppress(OtherSpelling):
                yield from plain.blocks()
                self._widest, self._hidden_rows = plain.widest, plain.hidden_rows
                self._tell_hidden(remarks)
                return
        self._hidden_columns.clear()
        done = plain.last_row if plain else 0
        yield from blocks((number, cells) for number, cells in self.all(remarks) if number > done)

    def _plain(self) -> Plain | None:
        """The sheet as one of the common spelling; None where it cannot be."""
        data = self._package.whole(self._about.path, LARGEST_HELD)
        begin, end = (data or b"").find(_BODY[0]) + len(_BODY[0]), (data or b"").rfind(_BODY[1])
        if data is None or not len(_BODY[0]) <= begin <= end or _OTHER_ENCODING.search(data[:200]):
            return None
        is_merged = False

        def start(tag: str, values: Attributes) -> None:
            nonlocal is_merged
            is_merged = is_merged or LOCAL[tag] == "mergeCell"
            self._start(tag, values)

        # The sheet without its rows: how its columns are, whether cells are merged.
        with suppress(UnreadableError):
            for _ in parsed((data[:begin], data[end:]), start):
                pass
            texts = pa.array(self._texts, pa.string())
            special = frozenset(str(style) for style, show in enumerate(self._shown) if show)
            own = Plain(data[begin:end], texts, special, self._told, _COLUMNS.__getitem__, LARGEST_SHEET)
            return None if is_merged else own
        return None

    def all(self, remarks: list[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield number and cells of each row that has a cell; at the end, `remarks` count what is hidden."""
        merged = self._merged()
        # Column -> (last row, text) of the merged cells that reach down to here.
        reaching: dict[int, tuple[int, str]] = {}
        for _ in self._package.parse(self._about.path, self._start, self._end, self._parts.append):
            for number, cells in self._done:
                if merged or reaching:
                    _fill_down(number, cells, merged, reaching)
                self._hold(number, cells)
                yield number, cells
            self._done.clear()
        self._tell_hidden(remarks)

    def _tell_hidden(self, remarks: list[str]) -> None:
        hidden = sum(column < self._widest for columns in self._hidden_columns for column in columns)
        if self._hidden_rows:
            remarks.append(reasons.text("hidden_rows", sheet=self._about.name, count=self._hidden_rows))
        if hidden:
            remarks.append(reasons.text("hidden_columns", sheet=self._about.name, count=hidden))

    def _hold(self, number: int, cells: list[str]) -> None:
        self._held += len(cells)
        self._widest = max(self._widest, len(cells))
        if self._held > LARGEST_SHEET:
            raise UnreadableError("sheet_too_wide", row=number, column=len(cells))

    def _merged(self) -> dict[int, list[tuple[int, int]]]:
        """Row -> (column, last row) of each cell that is merged with cells below it."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)

        def start(tag: str, values: Attributes) -> None:
            if LOCAL[tag] == "mergeCell":
                corners = _MERGED.fullmatch(values.get("ref", "").replace("$", ""))
                if corners and int(corners[4]) > int(corners[2]):
                    found[int(corners[2])].append((_COLUMNS[corners[1]], int(corners[4])))

        # Merged cells are told behind the rows. Zeros are UTF-16, in which the word is spelled otherwise.
        if any(b"mergeCell" in piece or b"\x00" in piece for piece in self._package.pieces(self._about.path)):
            self._package.read(self._about.path, start)
        return found

    def _start(self, tag: str, values: Attributes) -> None:
        tag = LOCAL[tag]
        if tag == "c":
            self._open = values
        elif tag == "v" or tag == "t":
            self._parts.clear()
        elif tag == "f":
            self._has_formula = True
        elif tag == "row":
            number = int(values.get("r", self._number + 1))
            if number <= self._number:
                raise UnreadableError("workbook_damaged")
            self._number, self._cells, self._next = number, [], 0
            self._is_row_hidden = is_true(values.get("hidden"))
        elif tag == "rPh":
            # How a name is read aloud, above it in small letters.
            self._silent += 1
        elif tag == "col" and is_true(values.get("hidden")):
            last = min(int(values.get("max", "0")), MOST_COLUMNS)
            self._hidden_columns.append(range(int(values.get("min", "1")) - 1, last))

    def _end(self, tag: str) -> None:
        tag = LOCAL[tag]
        if tag == "v":
            self._value = "".join(self._parts)
        elif tag == "c":
            self._end_cell()
        elif tag == "t":
            if not self._silent:
                self._inline += "".join(self._parts)
        elif tag == "row":
            if self._cells:
                self._done.append((self._number, self._cells))
                self._hidden_rows += self._is_row_hidden
        elif tag == "rPh":
            self._silent -= 1

    def _end_cell(self) -> None:
        values, value = self._open, self._value
        reference = values.get("r")
        column = self._next if reference is None else _COLUMNS[reference.rstrip(_DIGITS)]
        self._next = column + 1
        kind = values.get("t")
        text = self._told(kind, value, values.get("s"), self._has_formula)
        self._value, self._inline, self._has_formula = None, "", False
        if text:
            cells = self._cells
            missing = column - len(cells)
            if missing < 0:
                cells[column] = text
                return
            if missing:
                cells += [""] * missing
            cells.append(text)

    def _told(self, kind: str | None, value: str | None, style: str | None, has_formula: bool) -> str:
        """What a cell shows; empty for nothing."""
        if has_formula and self._is_uncalculated(kind, value):
            return UNCALCULATED
        if kind == "s":
            return self._texts[int(value)] if value else ""
        if value and (kind is None or kind == "n"):
            return self._number_shown(value, style)
        return self._text(kind, value)

    def _text(self, kind: str | None, value: str | None) -> str:
        """What a cell shows that is no number and no shared text; empty for nothing."""
        if kind == "e":
            return (value or "").strip() or UNCALCULATED
        if kind == "b":
            return "1" if is_true(value) else "0" if value else ""
        return unescaped(value or self._inline)

    def _is_uncalculated(self, kind: str | None, value: str | None) -> bool:
        """Whether a formula has no result: none is there, or the nought that programs write in its place."""
        if not value:
            return value is None or kind != "str"
        return self._book.is_uncounted and kind in (None, "n") and value.strip() in ("0", "0.0")

    def _number_shown(self, text: str, style: str | None) -> str:
        show = self._shown[int(style)] if style and int(style) < len(self._shown) else None
        if show is None and len(text) < 15 and text.isdecimal() and text.isascii():
            return text
        try:
            value = float(text)
        except ValueError:
            return text
        if not math.isfinite(value):
            return "#NUM!"
        return formats.plain(value) if show is None else show(value)


_DIGITS = "0123456789"
_MERGED = re.compile(r"([A-Za-z]+)(\d+):([A-Za-z]+)(\d+)")


def _fill_down(
    number: int,
    cells: list[str],
    merged: dict[int, list[tuple[int, int]]],
    reaching: dict[int, tuple[int, str]],
) -> None:
    """Put into a row the texts of merged cells above it, and note those that begin here."""
    for column, (last, text) in list(reaching.items()):
        if number > last:
            del reaching[column]
        else:
            cells += [""] * (column + 1 - len(cells))
            cells[column] = cells[column] or text
    for column, last in merged.pop(number, ()):
        if column < len(cells) and cells[column]:
            reaching[column] = (last, cells[column])
