"""Workbooks of OpenDocument (ods), cell by cell as their XML unpacks; each visible sheet is one table.

Cells hold what the sender sees, in the forms of `formats`: an error's own word, a rate in per cent, days and
times, the text of a merged cell in each of its rows. A formula without a result says so.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from jobs.declare import reasons
from jobs.reading import formats
from jobs.reading.sheet import UNCALCULATED, Sheet, UnreadableError, blocks
from jobs.reading.xlsx import LARGEST_SHEET, MOST_COLUMNS
from jobs.reading.xlsx_parts import LOCAL, Attributes, Package

_CONTENT = "content.xml"
# What stands within a cell and is not its own: notes, how a name is read aloud. Former cells are none.
_BESIDE = {"annotation", "ruby-text", "tracked-changes", "shapes"}
_HIDDEN = ("collapse", "filter")
_MOST_ROWS = 2**20
_ERROR = re.compile(r"#[^\s#]+[!?]|#N/A|Err:\d{3}")
_TIME = re.compile(r"(-?)P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?")

Row = tuple[int, list[str]]


def sheets(data: bytes, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    """Yield the visible sheets that have cells, in order; hidden ones are named in `remarks`.

    Hidden rows and columns are read, and counted in `remarks`. Raises UnreadableError for a workbook that is
    damaged, has a password, or a sheet too large to hold.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        package = Package(archive)
        manifest = "META-INF/manifest.xml"
        if package.has(manifest) and b"encryption-data" in b"".join(package.pieces(manifest)):
            raise UnreadableError("workbook_encrypted")
        found = _Reading(package).tables()
        names: set[str] = set()
        for table in found:
            if table.name in names:
                # A line of the receipt, the sheet and its row, would mean two.
                raise UnreadableError("workbook_same_names")
            names.add(table.name)
            if table.is_hidden:
                if next(table.rows, None):
                    remarks.append(reasons.text("sheet_hidden", sheet=table.name))
            else:
                yield Sheet("ods", None, member, table.name, blocks(table.rows))
            for _ in table.rows:
                pass
            if not table.is_hidden:
                table.tell(remarks)


@dataclass
class _Table:
    """One sheet; `rows` are read as they are asked for, and all of them before the next sheet."""

    name: str
    is_hidden: bool
    rows: Iterator[Row] = field(default_factory=lambda: iter(()))
    hidden_rows: int = 0
    hidden_columns: list[range] = field(default_factory=list)
    columns: int = 0
    widest: int = 0
    held: int = 0

    def tell(self, remarks: list[str]) -> None:
        """Add to `remarks` how many rows and columns that hold something are hidden."""
        hidden = sum(column < self.widest for columns in self.hidden_columns for column in columns)
        for code, count in (("hidden_rows", self.hidden_rows), ("hidden_columns", hidden)):
            if count:
                remarks.append(reasons.text(code, sheet=self.name, count=count))


class _Reading:
    """The content of a workbook: the parser's events fill rows, which are taken after each piece."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._found: list[_Table | Row] = []
        self._table: _Table | None = None
        self._depth = self._beside = 0
        self._style = ""
        self._hidden_styles: set[str] = set()
        self._row: Attributes = {}
        self._number = 0
        self._cells: list[str] = []
        self._cell: Attributes = {}
        self._in_cell = False
        self._text: list[str] = []
        # Column -> (rows left, text) of merged cells that reach down to here.
        self._reaching: dict[int, tuple[int, str]] = {}

    def tables(self) -> Iterator[_Table]:
        """Yield each sheet; its rows come out of the same pass."""
        events = self._events()
        waiting = next((event for event in events if isinstance(event, _Table)), None)
        while waiting is not None:
            table = waiting
            after: list[_Table] = []

            def rows(after: list[_Table] = after) -> Iterator[Row]:
                for event in events:
                    if isinstance(event, _Table):
                        after.append(event)
                        return
                    yield event

            table.rows = rows()
            yield table
            waiting = after[0] if after else None

    def _events(self) -> Iterator[_Table | Row]:
        for _ in self._package.parse(_CONTENT, self._start, self._end, self._characters):
            yield from self._found
            self._found.clear()

    def _start(self, tag: str, values: Attributes) -> None:
        tag = LOCAL[tag]
        if tag in _BESIDE or self._beside:
            self._beside += 1
        elif tag == "table":
            self._depth += 1
            if self._depth == 1:
                self._begin(_local(values))
        elif self._depth > 1:
            pass
        elif tag in ("table-cell", "covered-table-cell"):
            self._cell, self._in_cell = _local(values), True
            self._text.clear()
        elif tag == "table-row":
            self._row, self._cells = _local(values), []
        elif tag == "table-column" and self._table:
            self._add_columns(_local(values))
        elif self._in_cell:
            self._within(tag, values)
        elif tag == "style":
            self._style = _local(values).get("name", "")
        elif tag == "table-properties" and _local(values).get("display") == "false":
            self._hidden_styles.add(self._style)

    def _begin(self, about: Attributes) -> None:
        is_hidden = about.get("style-name") in self._hidden_styles
        self._table = _Table(about.get("name", ""), is_hidden)
        self._found.append(self._table)
        self._number = 0
        self._reaching.clear()

    def _add_columns(self, about: Attributes) -> None:
        assert self._table is not None
        begin = self._table.columns
        self._table.columns = begin + _count(about, "number-columns-repeated")
        if about.get("visibility") in _HIDDEN:
            self._table.hidden_columns.append(range(begin, min(self._table.columns, MOST_COLUMNS)))

    def _within(self, tag: str, values: Attributes) -> None:
        if tag == "p" and self._text:
            self._text.append("\n")
        elif tag == "s":
            self._text.append(" " * min(_count(_local(values), "c"), MOST_COLUMNS))
        elif tag in ("tab", "line-break"):
            self._text.append(" ")

    def _characters(self, text: str) -> None:
        if self._in_cell and not self._beside and self._depth == 1:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        tag = LOCAL[tag]
        if self._beside:
            self._beside -= 1
        elif tag == "table":
            self._depth -= 1
        elif self._depth > 1:
            pass
        elif tag in ("table-cell", "covered-table-cell"):
            self._end_cell()
        elif tag == "table-row" and self._table:
            self._end_row(self._table)

    def _end_cell(self) -> None:
        self._in_cell = False
        text = _shown(self._cell, "".join(self._text).strip())
        place, count = len(self._cells), _count(self._cell, "number-columns-repeated")
        if text and (place + count > MOST_COLUMNS or not self._table):
            raise UnreadableError("sheet_too_wide", row=self._number + 1, column=place + count)
        spanned = _count(self._cell, "number-rows-spanned")
        if text and spanned > 1:
            self._reaching[place] = (spanned, text)
        self._cells += [text] * min(count, MOST_COLUMNS - place)

    def _end_row(self, table: _Table) -> None:
        count = _count(self._row, "number-rows-repeated")
        cells = self._cells
        while cells and not cells[-1]:
            cells.pop()
        for column, (left, text) in list(self._reaching.items()):
            cells += [""] * (column + 1 - len(cells))
            cells[column] = cells[column] or text
            self._reaching[column] = (left - count, text)
            if left <= count:
                del self._reaching[column]
        if cells:
            table.held += len(cells) * count
            table.widest = max(table.widest, len(cells))
            if table.held > LARGEST_SHEET or self._number + count > _MOST_ROWS:
                raise UnreadableError("sheet_too_wide", row=self._number + count, column=len(cells))
            self._found += [(self._number + nth, list(cells)) for nth in range(1, count + 1)]
            table.hidden_rows += count * (self._row.get("visibility") in _HIDDEN)
        self._number += count


def _local(values: Attributes) -> Attributes:
    """Attributes without their prefixes; `calcext:value-type` tells errors, and has a name of its own."""
    found: Attributes = {}
    for name, value in values.items():
        found["error" if name == "calcext:value-type" and value == "error" else LOCAL[name]] = value
    return found


def _count(about: Attributes, name: str) -> int:
    return max(int(about.get(name, "1")), 1)


def _shown(cell: Attributes, text: str) -> str:
    """What a cell shows, by the type of its value."""
    kind, value = cell.get("value-type"), cell.get("value", "")
    if "error" in cell or ("formula" in cell and _ERROR.fullmatch(text)):
        return text or UNCALCULATED
    match kind:
        case "float" | "currency" | "percentage" if value:
            return _number(float(value), kind == "percentage", text)
        case "date" if "date-value" in cell:
            return _day(cell["date-value"], text)
        case "time" if found := _TIME.fullmatch(cell.get("time-value", "")):
            days, hours, minutes, seconds = (
                float((part or "0").replace(",", ".")) for part in found.groups()[1:]
            )
            past = (days * 24 + hours) * 3600 + minutes * 60 + seconds
            return formats.duration((-past if found[1] else past) / 86_400)
        case "boolean":
            return "1" if cell.get("boolean-value") == "true" else "0"
    if "formula" in cell and kind is None and not text:
        return UNCALCULATED
    return text or cell.get("string-value", "")


def _day(value: str, text: str) -> str:
    try:
        return formats.moment(datetime.fromisoformat(value[:26]))
    except ValueError:  # before the year 1, after 9999
        return text


def _number(value: float, is_share: bool, text: str) -> str:
    if not math.isfinite(value):
        return "#NUM!"
    if is_share:
        return formats.percent(value)
    plain = formats.plain(value)
    # Noughts before a number are part of what its sender sees.
    return text if text.isdecimal() and text.isascii() and text.lstrip("0") == plain else plain
