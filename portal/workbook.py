"""A table of a release as an Excel workbook: Chinese headings, codes with their names, and a sheet 说明."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from jobs import cells, origin
from jobs.declare import missing
from jobs.sql import identifier
from portal import codes
from portal.selection import Selection

# A workbook of more rows takes seconds of a processor, and nobody reads it.
MOST_ROWS = 50_000
_ABOUT = "说明"


def write(selection: Selection, after: int | None, limit: int | None, out: IO[bytes]) -> None:
    """Write the workbook: the rows on the first sheet, what they mean on the second."""
    told = selection.told_columns
    with cells.workbook(out, constant_memory=True, in_memory=False) as book:
        head = book.add_format({"bold": True, "bg_color": "#e8eef7", "text_wrap": True, "valign": "top"})
        formats = {
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet = book.add_worksheet(_sheet_name(selection.told["title_zh"] or selection.table))
        sheet.freeze_panes(1, 0)
        names = [_names(column["name"], selection.columns) for column in told]
        titles: list[str] = []
        for column, named in zip(told, names, strict=True):
            title = column["title_zh"] or column["name"]
            titles += [title, f"{title}（名称）"] if named else [title]
        if selection.snapshot.is_synthetic:
            titles.append(origin.COLUMN_ZH)
        for at, title in enumerate(titles):
            sheet.write_string(0, at, title, head)
            sheet.set_column(at, at, max(10, min(30, 2 * len(title) + 2)))
        at_row = 0
        listed = [identifier(name) for name in selection.columns]
        for cursor, query, values in selection.queries(listed, after, limit):
            result = cursor.execute(query, values)
            while part := result.fetchmany(5_000):
                for row in part:
                    at_row += 1
                    _row(sheet, at_row, row, names, formats, is_made_up=selection.snapshot.is_synthetic)
        _about(book.add_worksheet(_ABOUT), selection, head, at_row)


def _row(sheet: Any, at: int, row: Any, names: list[Any], formats: Any, *, is_made_up: bool) -> None:
    place = 0
    for value, named in zip(row, names, strict=True):
        _cell(sheet, at, place, value, formats)
        place += 1
        if named:
            if value is not None:
                sheet.write_string(at, place, named.get(value, ""))
            place += 1
    if is_made_up:
        sheet.write_string(at, place, "true")


def _cell(sheet: Any, row: int, column: int, value: Any, formats: Any) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case int() if abs(value) >= 2**53:
            sheet.write_string(row, column, str(value))
        case int() | Decimal() | float():
            sheet.write_number(row, column, value)
        case datetime():
            sheet.write_datetime(row, column, value.replace(tzinfo=None), formats["time"])
        case date():
            sheet.write_datetime(row, column, value, formats["date"])
        case _:
            sheet.write_string(row, column, str(value))


def _names(column: str, shown: tuple[str, ...]) -> dict[str, str] | None:
    """The names of a column's codes, where no other column has them."""
    stem = column.removesuffix("_code").removesuffix("_key")
    if any(f"{stem}{ending}" in shown for ending in ("_zh", "_name_zh", "_name")):
        return None
    if missing.is_reason_column(column):
        return {code: words["zh"] for code, words in missing.reasons().items()}
    return dict(codes.meanings(column)) or None


def _about(sheet: Any, selection: Selection, head: Any, count: int) -> None:
    """What the sheet holds, from which release, and what each column means."""
    told, manifest = selection.told, selection.snapshot.release.manifest
    lines: list[list[str]] = [
        ["数据表", told["title_zh"], selection.table],
        ["说明", told["description"]],
        ["行数", str(count)],
        ["发布版本", str(selection.snapshot.release.number)],
        ["数据截至", str(manifest["as_of_date"])],
        ["数据表版本", selection.version or ""],
        ["来源", manifest["title_zh"], manifest["title_en"]],
    ]
    if selection.snapshot.is_synthetic:
        lines.append(["合成数据", origin.LINE])
    if chosen := selection.in_words():
        lines.append(["筛选条件", chosen])
    lines += [["注意", note["zh"], note["en"]] for note in told.get("footnotes", ())]
    at = 0
    for at, line in enumerate(lines):
        sheet.write_string(at, 0, line[0], head)
        for place, text in enumerate(line[1:], start=1):
            sheet.write_string(at, place, str(text))
    at += 2
    for place, title in enumerate(("字段", "名称", "类型", "含义", "可相加的维度")):
        sheet.write_string(at, place, title, head)
    for at_row, column in enumerate(selection.told_columns, start=at + 1):
        over = column.get("additive_over")
        sums = "" if over is None else "、".join(over) or "不可相加"
        words = (column["name"], column["title_zh"], column["type"], column["description"], sums)
        for place, text in enumerate(words):
            sheet.write_string(at_row, place, str(text or ""))
    for place, width in enumerate((24, 30, 16, 60, 30)):
        sheet.set_column(place, place, width)


def _sheet_name(title: str) -> str:
    """A name that a workbook takes: 31 characters, none of those that Excel forbids."""
    plain = "".join(" " if character in "[]:*?/\\'" else character for character in title).strip()
    return plain[:31] if plain and plain != _ABOUT else "数据"
