"""The sender's own lines as a workbook, with a list of marks and comments on the cells; restricted.

It is made from raw lines and the receipt's text. The sender's file is not opened again, so nothing of it is
live here (no formula, no link, no macro), and what bounded the reading bounds this too. Every cell is text.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from xlsxwriter.utility import quote_sheetname, xl_rowcol_to_cell

from jobs.cells import workbook
from jobs.declare import across
from jobs.declare.headings import MARK
from jobs.declare.words import Text
from jobs.files import replacing
from jobs.lake import tables
from jobs.replies.report import ASIDE, ASKED, COLUMNS, FLAGGED, REFUSED, Problem, Report
from jobs.settings import Settings

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

FILLS = {REFUSED: "F8CBAD", ASKED: "BDD7EE", FLAGGED: "FFEB9C", ASIDE: "E7E6E6"}
LIST_SHEET = "标注清单"

# A file with more cells than this comes back with its marked lines alone, one below the other.
MOST_CELLS = 5_000_000
# Comments are for reading; beyond these the colors and the list remain.
MOST_COMMENTS = 20_000
# A sheet takes no more.
MOST_ROWS = 1_048_576

_MEMORY = "1GB"


# Line -> column -> what is wrong there, for one table.
_Marks = dict[int, dict[int, list[Problem]]]


@dataclass(frozen=True)
class _Sheet:
    """One table of the file as a sheet of the copy: its header, and the row of each line (from 0)."""

    name: str
    header: list[str]
    header_row: int
    # Rows of the marked lines, where they stand alone.
    rows: dict[int, int] | None
    shift: int
    # What a title told of every line, and no column does.
    title: str = ""

    def row(self, line: int) -> int:
        return line + self.shift if self.rows is None else self.rows[line]


def write(settings: Settings, report: Report, target: Path) -> bool:
    """Write the copy of the receipt's lines to `target`; False where no line is named or raw has none;
    then an earlier copy goes.
    """
    target.unlink(missing_ok=True)
    receipt = report.receipt
    if tables.open_table(settings, f"raw_{receipt['feed']}") is None:
        return False
    raw = tables.raw_lines(settings, receipt["feed"], receipt["batch_id"])
    return write_lines(report, raw, target)


def is_called_for(report: Report) -> bool:
    """Whether a line is named, so that there is something to mark."""
    return any(problem.line for problem in report.problems)


def write_lines(report: Report, raw: str, target: Path) -> bool:
    """The same from raw lines that lie elsewhere; `raw` is what a query reads from."""
    receipt, heads = report.receipt, _heads(report)
    marks: dict[int, _Marks] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for problem in report.problems:
        if problem.line:
            # A column that the file lacks is reported on the first cell of the line.
            marks[heads[problem.table]][problem.line][problem.position or 0].append(problem)
    if not marks:
        return False
    with duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY}) as db:
        db.execute("set temp_directory = $spill", {"spill": str(target.parent)})
        which = {"delivery": receipt["delivery_id"], "file": receipt["file_sha256"]}
        lines = (
            f"select _table, _line_number, cells from {raw}"
            " where _delivery_id = $delivery and _file_sha256 = $file"
        )
        if any(head != table for table, head in enumerate(heads)):
            rows = [(table, head, len(_header(report, table))) for table, head in enumerate(heads)]
            db.register("heads", pa.table(list(zip(*rows, strict=True)), ["_table", "head", "width"]))
            lines = (
                "select head as _table, _line_number, any_value(list_slice(cells, 1, width)) as cells"
                f" from ({lines}) join heads using (_table) group by head, _line_number"
            )
        size = f"select coalesce(sum(len(cells)), 0), max(_line_number) from ({lines})"
        cell_count, last = db.execute(size, which).fetchall()[0]
        if last is None:
            return False
        is_whole = cell_count <= MOST_CELLS and last < MOST_ROWS
        if not is_whole:
            marked = [(table, line) for table, of_table in marks.items() for line in of_table]
            db.register("marked", pa.table(list(zip(*marked, strict=True)), ["_table", "_line_number"]))
            lines = f"from ({lines}) semi join marked using (_table, _line_number)"
        found: pa.RecordBatchReader = db.sql(
            f"from ({lines}) order by _table, _line_number", params=which
        ).to_arrow_reader(10_000)
        with replacing(target, mode=0o600) as fresh:
            _write(report, marks, is_whole, found, fresh)
    return True


def _write(
    report: Report,
    marks: Mapping[int, _Marks],
    is_whole: bool,
    batches: Iterable[pa.RecordBatch],
    target: Path,
) -> None:
    # Temporary files hold rows, so they lie beside the copy; a row is written and let go.
    with workbook(str(target), constant_memory=True, tmpdir=str(target.parent)) as book:
        sheets = _sheets(report, marks, is_whole)
        _list(book, report, sheets)
        text = {"num_format": "@"}
        plain, head = book.add_format(text), book.add_format({**text, "bold": True, "bg_color": "#DCE6F1"})
        fills = {kind: book.add_format({**text, "bg_color": f"#{color}"}) for kind, color in FILLS.items()}
        made = _begun(book, sheets, plain, head)
        last: dict[int, int] = {}
        left = MOST_COMMENTS
        for batch in batches:
            for table, line, cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                at = marks.get(table, {}).get(line, {})
                row = sheets[table].row(line)
                for column in range(max(len(cells), *(c + 1 for c in at), 0)):
                    cell = (cells[column] if column < len(cells) else None) or ""
                    form = fills[_severity(at[column])] if column in at else plain
                    made[table].write_string(row, column, cell, form)
                    if column in at and left:
                        options = {"author": "edulake", "x_scale": 3, "y_scale": 1.5}
                        made[table].write_comment(row, column, _comment(at[column]), options)
                        left -= 1
                if at:
                    severity = _severity([problem for problems in at.values() for problem in problems])
                    beside = max(len(sheets[table].header), len(cells))
                    made[table].write_string(row, beside, severity, fills[severity])
                last[table] = row
        for table, row in last.items():
            header = sheets[table].header_row
            made[table].autofilter(header, 0, max(row, header), len(sheets[table].header))


def _begun(
    book: xlsxwriter.Workbook, sheets: Sequence[_Sheet], plain: Format, head: Format
) -> dict[int, Worksheet]:
    """A sheet with its headings for the first table of each."""
    made: dict[int, Worksheet] = {}
    for table, sheet in enumerate(sheets):
        if any(sheet is one for one in sheets[:table]):
            continue
        made[table] = book.add_worksheet(sheet.name)
        made[table].set_column(0, len(sheet.header), 14, plain)
        made[table].freeze_panes(sheet.header_row + 1, 0)
        if sheet.title and sheet.header_row:
            made[table].write_string(0, 0, sheet.title, head)
        for column, heading in enumerate([*sheet.header, MARK]):
            made[table].write_string(sheet.header_row, column, heading, head)
    return made


def _header(report: Report, table: int) -> list[str]:
    """The headings of a table as its sender wrote them."""
    header: list[str] = json.loads(report.receipt["headers"][table])
    return across.own_headings(report.contract, header) if report.contract else header


def _heads(report: Report) -> list[int]:
    """Of each table the first one of its sheet: a wide form has many, one for each value across."""
    receipt, first = report.receipt, dict[tuple[Any, ...], int]()
    found: list[int] = []
    places = zip(*(receipt[name] or () for name in ("sheets", "members", "headers")), strict=True)
    for table, (sheet, member, header) in enumerate(places):
        is_wide = report.contract and across.place_of(report.contract, json.loads(header))
        place = (sheet, member) if is_wide else (table,)
        found.append(first.setdefault(place, table))
    return found


def _sheets(report: Report, marks: Mapping[int, _Marks], is_whole: bool) -> list[_Sheet]:
    """The sheet of each table of the file, whether it has marks or not, in their order."""
    receipt, heads = report.receipt, _heads(report)
    taken = {LIST_SHEET.lower()}
    found: list[_Sheet] = []
    places: Iterable[tuple[str | None, str | None]] = zip(receipt["sheets"], receipt["members"], strict=True)
    for number, (sheet, member) in enumerate(places):
        if heads[number] != number:
            found.append(found[heads[number]])
            continue
        name = sheet_name(sheet or Path(member or "").stem, taken)
        # JSON lines have no header line of their own: theirs stands above, and lines move down by one.
        header_line = receipt["header_lines"][number]
        rows, header_row, shift = None, max(header_line - 1, 0), 0 if header_line == 0 else -1
        if not is_whole:
            rows, header_row = {line: row for row, line in enumerate(sorted(marks.get(number, {})), 1)}, 0
        header = _header(report, number)
        behind: list[str] = json.loads(receipt["headers"][number])[len(header) + 1 :]
        title = "".join(f"{cell.partition(across.OF)[2]}学年" for cell in behind)
        found.append(_Sheet(name, header, header_row, rows, shift, title))
    return found


def _list(book: xlsxwriter.Workbook, report: Report, sheets: list[_Sheet]) -> None:
    """The first sheet: every mark with a link to its cell, and what to do there."""
    listed = book.add_worksheet(LIST_SHEET)
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    link = book.add_format({"font_color": "#1D4F86", "underline": 1, "valign": "top"})
    fills = {kind: book.add_format({"bg_color": f"#{color}"}) for kind, color in FILLS.items()}
    for column, (name, width) in enumerate((COLUMNS[0], _CELL, *COLUMNS[1:])):
        listed.set_column(column, column, width)
        listed.write_string(0, column, name.label(report.language), head)
    # Beside the headings, which stay in view.
    for said in report.origin():
        listed.write_string(0, len(COLUMNS) + 2, said, head)
    for row, problem in enumerate(report.problems[: MOST_ROWS - 1], 1):
        listed.write_string(row, 0, problem.severity_told, fills[problem.severity])
        if problem.line and problem.table < len(sheets):
            sheet = sheets[problem.table]
            cell = xl_rowcol_to_cell(sheet.row(problem.line), problem.position or 0)
            place = f"internal:{quote_sheetname(sheet.name)}!{cell}"
            # A sheet takes 65,530 links.
            if row <= _MOST_LINKS:
                listed.write_url(row, 1, place, link, f"{sheet.name}!{cell}")
            else:
                listed.write_string(row, 1, f"{sheet.name}!{cell}")
        for column, value in enumerate(problem.cells()[1:], 2):
            (listed.write_number if isinstance(value, int) else listed.write_string)(row, column, value, wrap)
    listed.freeze_panes(1, 0)
    listed.autofilter(0, 0, max(len(report.problems), 1), len(COLUMNS))


_CELL = (Text("单元格 (点击跳转)", "cell (click to go there)"), 18)
_MOST_LINKS = 65_000


def _severity(problems: list[Problem]) -> str:
    found = {problem.severity for problem in problems}
    return next(severity for severity in FILLS if severity in found)


def _comment(problems: list[Problem]) -> str:
    return "\n".join(f"[{p.severity_told}] {p.heading}: {p.wrong}\n{p.do}" for p in problems)


def sheet_name(name: str, taken: set[str]) -> str:
    """A name that a workbook takes: at most 31 characters, none of the forbidden ones, none twice."""
    kept = "".join(c for c in name if c not in "[]:*?/\\").strip("'")[:31] or "报送数据"
    number = 2
    found = kept
    while found.lower() in taken:
        found = f"{kept[:27]} {number}"
        number += 1
    taken.add(found.lower())
    return found
