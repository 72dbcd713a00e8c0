"""Workbooks as tables: xlsx, old binary xls, ods, read by calamine; each visible sheet is one table.

Cells hold what the sender sees: the cached value of a formula, the text of a merged cell in each of its rows.
A formula that was never calculated has no value: its cell says so, and no rule takes it for nothing.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree import ElementTree

import python_calamine

from jobs.declare import reasons
from jobs.reading.sheet import UNCALCULATED, Sheet, UnreadableError, blocks

# A sheet is held in memory from its first to its last written cell: 32 bytes each.
LARGEST_SHEET = 40_000_000

_VISIBLE = python_calamine.SheetVisibleEnum.Visible
_WORKSHEET = python_calamine.SheetTypeEnum.WorkSheet


def sheets(data: bytes, container: str, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    """Yield the visible sheets that have cells, in the workbook's order; hidden ones are named in `remarks`.

    Raises UnreadableError for a workbook that is damaged, has a password, or a sheet too large to hold.
    """
    if container == "xls" and "EncryptedPackage".encode("utf-16-le") in data:
        raise UnreadableError("workbook_encrypted")
    unknown: dict[str, dict[int, set[int]]] = {}
    if container == "xlsx":
        unknown = _examined(data)
    book = _guarded(lambda: python_calamine.load_workbook(io.BytesIO(data)))
    names = [about.name for about in book.sheets_metadata]
    if len(set(names)) < len(names):
        # A line of the receipt, the sheet and its row, would mean two.
        raise UnreadableError("workbook_same_names")
    for about in book.sheets_metadata:
        if about.typ != _WORKSHEET:
            continue
        name = about.name
        sheet = _guarded(lambda: book.get_sheet_by_name(name))  # noqa: B023
        if sheet.start is None:
            continue
        if about.visible != _VISIBLE:
            remarks.append(reasons.text("sheet_hidden", sheet=name))
            continue
        rows = _rows(sheet, unknown.get(name, {}))
        yield Sheet(container, None, member, name, blocks(rows))


def _guarded(read: Any) -> Any:
    """Calamine's answer, or UnreadableError; a fault within its Rust comes as no ordinary exception."""
    try:
        return read()
    except python_calamine.PasswordError as error:
        raise UnreadableError("workbook_encrypted") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        if "assword" in str(error):
            raise UnreadableError("workbook_encrypted") from error
        raise UnreadableError("workbook_damaged") from error


def _rows(sheet: Any, unknown: dict[int, set[int]]) -> Iterator[tuple[int, list[str]]]:
    left = [""] * sheet.start[1]
    # Row -> (column, row whose text it shows), of cells merged over several rows.
    shown: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        # A border drawn as a merge over the whole sheet shows no more than its rows that hold something.
        for row in range(top + 1, min(bottom, sheet.end[0]) + 1):
            shown[row].append((column, top))
    tops = {top for places in shown.values() for _, top in places}
    kept: dict[int, list[str]] = {}
    for row, values in enumerate(sheet.iter_rows()):
        cells = left + [v if type(v) is str else _cell(v) for v in values]
        for column in unknown.get(row, ()):
            cells += [""] * (column + 1 - len(cells))
            cells[column] = cells[column] or UNCALCULATED
        for column, top in shown.get(row, ()):
            text = kept[top][column] if top in kept and column < len(kept[top]) else ""
            if text and not (column < len(cells) and cells[column]):
                cells += [""] * (column + 1 - len(cells))
                cells[column] = text
        if row in tops:
            kept[row] = list(cells)
        yield row + 1, cells


def _cell(value: Any) -> str:
    """A workbook's cell as text. A number of more than fifteen digits has lost digits: it stays in a form no
    rule takes.
    """
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    if isinstance(value, int) and abs(value) >= 10**15:
        return repr(float(value))
    return str(value)


# What calamine does not say, from the sheets' own XML

_FORMULA = re.compile(
    rb'<c r="([A-Z]{1,3})(\d{1,7})"((?:\s[^<>]*)?)>\s*<f[^<>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)
_WIDE = re.compile(rb'r="(?:[A-Z]{3}|[B-Z][A-Z])\d')
_WRITTEN = re.compile(rb'<c r="([A-Z]{1,3})(\d{1,7})"[^<>]*[^/<>]>')
_ROW = re.compile(rb'<row r="(\d{1,7})"')
_PIECE = 4 * 1024**2
_OVERLAP = 4096


def _examined(data: bytes) -> dict[str, dict[int, set[int]]]:
    """Sheet -> row -> columns of formulas without a value, counted from 0.

    Raises UnreadableError for a sheet with cells so far apart that no memory holds what lies between.
    """
    found: dict[str, dict[int, set[int]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                places = _scanned(archive, info)
                if places:
                    found[info.filename] = places
        if not found:
            return {}
        names = _sheet_names(archive)
    return {names[path]: places for path, places in found.items() if path in names}


def _scanned(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[int, set[int]]:
    uncalculated: dict[int, set[int]] = defaultdict(set)
    rows = columns = 1
    tail = b""
    try:
        with archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                text = tail + piece
                if b"<f" in text:
                    for match in _FORMULA.finditer(text):
                        # A formula whose result is an empty text is calculated.
                        if b't="str"' not in match[3]:
                            uncalculated[int(match[2]) - 1].add(_column(match[1]))
                if last := _ROW.findall(text[-_OVERLAP * 4 :]):
                    rows = max(rows, int(last[-1]))
                if _WIDE.search(text):
                    for letters, row in _WRITTEN.findall(text):
                        columns, rows = max(columns, _column(letters) + 1), max(rows, int(row))
                if rows * columns > LARGEST_SHEET:
                    raise UnreadableError("sheet_too_wide", row=rows, column=columns)
                tail = text[-_OVERLAP:]
    except UnreadableError:
        raise
    except Exception:
        return {}  # damaged: calamine says so
    return uncalculated


def _column(letters: bytes) -> int:
    """`A` -> 0, `AA` -> 26."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place - 1


_NS = {
    "m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "r": "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id",
}


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Path of a sheet's XML -> the sheet's name."""
    try:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {r.get("Id"): str(r.get("Target", "")) for r in relations}
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    except Exception:
        return {}  # damaged: calamine says so
    named = {}
    for sheet in book.iterfind(".//m:sheet", _NS):
        target = targets.get(sheet.get(_NS["r"]), "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        named[path] = str(sheet.get("name"))
    return named
