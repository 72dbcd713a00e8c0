"""Old binary workbooks (xls): values by calamine, the rest by `xls_facts`; each visible sheet is one table.

Cells hold what the sender sees: the cached value of a formula, an error's own word, a number by its format,
the text of a merged cell in each of its rows.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine

from jobs.declare import reasons
from jobs.reading import formats
from jobs.reading.sheet import Sheet, UnreadableError, blocks
from jobs.reading.xls_facts import Facts, facts

_VISIBLE = python_calamine.SheetVisibleEnum.Visible
_WORKSHEET = python_calamine.SheetTypeEnum.WorkSheet


def sheets(data: bytes, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    """Yield the visible sheets that have cells, in the workbook's order; hidden ones are named in `remarks`.

    Hidden rows and columns are read, and counted in `remarks`. Raises UnreadableError for a workbook that is
    damaged, has a password, or a sheet too large to hold.
    """
    book = _guarded(lambda: python_calamine.load_workbook(io.BytesIO(data)))
    names = [about.name for about in book.sheets_metadata]
    if len(set(names)) < len(names):
        # A line of the receipt, the sheet and its row, would mean two.
        raise UnreadableError("workbook_same_names")
    beside = facts(data)
    for nth, about in enumerate(book.sheets_metadata):
        if about.typ != _WORKSHEET:
            continue
        name = about.name
        sheet = _guarded(lambda: book.get_sheet_by_name(name))  # noqa: B023
        own = beside[nth] if nth < len(beside) else Facts()
        if sheet.start is None and not own.shown:
            continue
        if about.visible != _VISIBLE:
            remarks.append(reasons.text("sheet_hidden", sheet=name))
            continue
        yield Sheet("xls", None, member, name, blocks(_rows(sheet, own)))
        _tell_hidden(sheet, own, remarks)


def _tell_hidden(sheet: Any, own: Facts, remarks: list[str]) -> None:
    """Add to `remarks` how many rows and columns that may hold something are hidden."""
    if sheet.start is None:
        return
    (top, left), (bottom, right) = sheet.start, sheet.end
    rows = sum(top <= row <= bottom for row in own.hidden_rows)
    columns = sum(left <= column <= right for column in own.hidden_columns)
    for code, count in (("hidden_rows", rows), ("hidden_columns", columns)):
        if count:
            remarks.append(reasons.text(code, sheet=sheet.name, count=count))


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


def _rows(sheet: Any, own: Facts) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each row; what `own` shows stands in place of bare values."""
    instead: dict[int, dict[int, str]] = defaultdict(dict)
    for (row, column), text in own.shown.items():
        instead[row][column] = text
    if sheet.start is not None:
        yield from _merged_rows(sheet, instead)
    # Rows of nothing but errors, which calamine does not count.
    for row, texts in sorted(instead.items()):
        yield row + 1, [texts.get(column, "") for column in range(max(texts) + 1)]


def _merged_rows(sheet: Any, instead: dict[int, dict[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """The rows that calamine counts, each taken out of `instead`."""
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
        for column, text in instead.pop(row, {}).items():
            cells += [""] * (column + 1 - len(cells))
            cells[column] = text
        for column, top in shown.get(row, ()):
            text = kept[top][column] if top in kept and column < len(kept[top]) else ""
            if text and not (column < len(cells) and cells[column]):
                cells += [""] * (column + 1 - len(cells))
                cells[column] = text
        if row in tops:
            kept[row] = list(cells)
        yield row + 1, cells


def _cell(value: Any) -> str:
    """A workbook's cell as text, in the forms of `formats`."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float | int):
        return formats.plain(float(value))
    if isinstance(value, datetime):
        return formats.moment(value)
    if isinstance(value, time):
        value = datetime.combine(date.min, value) - datetime.min
    if isinstance(value, timedelta):
        return formats.duration(value / timedelta(days=1))
    return value.isoformat() if isinstance(value, date) else str(value)
