"""A sender's report as files.

Two may be sent out (`<receipt>.xlsx`, `<receipt>.html`): they hold no value of any row. A third stays in the
restricted zone (0700): the sender's own table with comments and color on its cells, for those who may see the
rows anyway.
"""

from __future__ import annotations

import html
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import xlsxwriter

from jobs.files import replacing
from jobs.lake import deliveries
from jobs.reading.recognize import Table
from jobs.replies.report import ASKED, FLAGGED, REFUSED, Problem, Report, tables_of
from jobs.settings import Settings, writing

_FILLS = {REFUSED: "F8CBAD", FLAGGED: "FFEB9C", ASKED: "BDD7EE"}
# Comments are for reading; beyond these the report's rows remain.
_MOST_COMMENTS = 20_000
# A sender's text is text, also where it begins with `=` or `http`.
_PLAIN_TEXT = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}

_COLUMNS = ("处理", "压缩包成员", "工作表", "行号", "列 (报送表头)", "规则", "问题", "如何更正")


def write(settings: Settings, report: Report, out: Path | None = None) -> dict[str, Path]:
    """Write the report's files and return where: `xlsx` and `html` (no values), and `marked`, the sender's
    own table with comments, in the restricted zone, where the file could be read and a line is named.
    """
    receipt_id = report.receipt["receipt_id"]
    folder = out or settings.home / "reports" / report.receipt["sender_code"]
    made = {"xlsx": folder / f"{receipt_id}.xlsx", "html": folder / f"{receipt_id}.html"}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(made["xlsx"]) as fresh:
            fresh.write_bytes(_workbook(report))
        with replacing(made["html"]) as fresh:
            fresh.write_text(_page(report), encoding="utf-8")
    marked = _marked(settings, report) if report.problems else None
    if marked is not None:
        zone = settings.home / "restricted"
        target = zone / "marked" / f"{receipt_id}.xlsx"
        with writing(target):
            for private in (zone, target.parent):
                private.mkdir(mode=0o700, parents=True, exist_ok=True)
                private.chmod(0o700)
            with replacing(target, mode=0o600) as fresh:
                fresh.write_bytes(marked)
        made["marked"] = target
    return made


# Gathering


def _workbook(report: Report) -> bytes:
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, _PLAIN_TEXT)
    bold = book.add_format({"bold": True, "valign": "top"})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    title = book.add_format({"bold": True, "font_size": 16})
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
    first = book.add_worksheet("回执")
    first.set_column(0, 0, 14)
    first.set_column(1, 1, 90)
    first.write_string(0, 0, "数据报送回执", title)
    at = 2
    for name, fact in report.facts():
        first.write_string(at, 0, name, bold)
        first.write_string(at, 1, fact, wrap)
        at += 1
    if report.problems:
        at += 1
        for column, name in enumerate(("处理", "列: 规则", "行数")):
            first.write_string(at, column, name, head)
        for severity, heading, rule, count in report.by_rule():
            at += 1
            first.write_string(at, 0, severity)
            first.write_string(at, 1, f"{heading}: {rule}")
            first.write_number(at, 2, count)
    sheet = book.add_worksheet("逐行问题")
    for column, width in enumerate((6, 16, 14, 8, 18, 34, 44, 60)):
        sheet.set_column(column, column, width)
    sheet.write_row(0, 0, _COLUMNS, head)
    for line, problem in enumerate(report.problems, 1):
        for column, cell in enumerate(problem.cells()):
            if isinstance(cell, int):
                sheet.write_number(line, column, cell)
            else:
                sheet.write_string(line, column, cell)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(report.problems), 1), len(_COLUMNS) - 1)
    # A workbook's own dates would make equal reports unequal.
    book.set_properties(
        {"title": "数据报送回执", "created": report.receipt["recorded_at"].replace(tzinfo=None)}
    )
    book.close()
    return data.getvalue()


_STYLE = """
body{font:15px/1.6 "Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC",sans-serif;
margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #c9d3dd;padding:.35rem .6rem;text-align:left;
vertical-align:top}td:first-child,th:first-child{white-space:nowrap}
thead th{background:#e8eef5;position:sticky;top:0}
.facts th{width:8rem;background:#f4f7fa}.n{text-align:right;font-variant-numeric:tabular-nums}
.退回{color:#9c1c1c;font-weight:600}.存疑{color:#7a5200;font-weight:600}.核对{color:#1d4f86;font-weight:600}
@media print{body{margin:0}thead{display:table-header-group}}
"""


def _page(report: Report) -> str:
    facts = "".join(f"<tr><th scope=row>{_e(k)}</th><td>{_e(v)}</td></tr>" for k, v in report.facts())
    parts = [
        f"<h1>数据报送回执</h1><table class=facts>{facts}</table>",
    ]
    if report.problems:
        sums = "".join(
            f"<tr><td class={_e(s)}>{_e(s)}</td><td>{_e(h)}</td><td>{_e(r)}</td><td class=n>{n:,}</td></tr>"
            for s, h, r, n in report.by_rule()
        )
        parts.append(
            "<h2>按规则汇总</h2><table><thead><tr><th>处理</th><th>列</th><th>规则</th><th>行数</th></tr></thead>"
            f"<tbody>{sums}</tbody></table>"
        )
        head = "".join(f"<th scope=col>{_e(name)}</th>" for name in _COLUMNS)
        parts.append(
            f"<h2>逐行问题</h2><table><thead><tr>{head}</tr></thead><tbody>{''.join(_rows(report.problems))}"
            "</tbody></table>"
        )
    else:
        parts.append("<p>没有需要逐行更正的问题。</p>")
    parts.append("<p>本回执只含行号、列名与规则, 不含任何数据值。</p>")
    return (
        "<!doctype html><html lang=zh-CN><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>数据报送回执 {_e(report.receipt['receipt_id'])}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _rows(problems: Iterable[Problem]) -> Iterable[str]:
    for problem in problems:
        cells = problem.cells()
        yield (
            f"<tr><td class={_e(cells[0])}>{_e(cells[0])}</td>"
            + "".join(f"<td{' class=n' if isinstance(c, int) else ''}>{_e(c)}</td>" for c in cells[1:])
            + "</tr>"
        )


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


# What stays


def _marked(settings: Settings, report: Report) -> bytes | None:
    """The sender's own table, each named cell coloured and commented; None where the file is gone or cannot
    be read any more. A plain workbook keeps its looks; of every other container the lines are copied to one.
    """
    receipt = report.receipt
    marks: _Marks = defaultdict(lambda: defaultdict(list))
    for problem in report.problems:
        if problem.line:
            # A column that the file lacks is reported on the first cell of the line.
            marks[problem.member, problem.sheet][problem.line, problem.position or 0].append(problem)
    path = deliveries.located(settings, receipt["delivery_id"], receipt["file_name"])
    if not marks or not path.is_file():
        return None
    if receipt["container"] == "xlsx" and not receipt["member"]:
        marked = _marked_workbook(path, marks)
        if marked is not None:
            return marked
    read = tables_of(settings, receipt)
    return _marked_copy(read, marks) if read else None


# Member and sheet -> line and column -> what is wrong there.
_Marks = dict[tuple[str, str], dict[tuple[int, int], list[Problem]]]


def _marked_workbook(path: Path, marks: _Marks) -> bytes | None:
    from openpyxl import load_workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    fills = {kind: PatternFill("solid", fgColor=colour) for kind, colour in _FILLS.items()}
    try:
        book = load_workbook(path)
        for (_, name), at_cell in marks.items():
            sheet = book[name] if name else book.worksheets[0]
            for (line, column), problems in sorted(at_cell.items())[:_MOST_COMMENTS]:
                cell = sheet.cell(row=line, column=column + 1)
                cell.fill = fills[_severity(problems)]
                if type(cell).__name__ != "MergedCell":
                    cell.comment = Comment(_comment(problems), "edulake", width=420, height=120)
        data = io.BytesIO()
        book.save(data)
    except Exception:  # senders' workbooks break openpyxl in many ways; the copy of the lines remains
        return None
    return data.getvalue()


def _marked_copy(read: list[Table], marks: _Marks) -> bytes:
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, _PLAIN_TEXT)
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1"})
    fills = {kind: book.add_format({"bg_color": f"#{colour}"}) for kind, colour in _FILLS.items()}
    taken: set[str] = set()
    for table in read:
        at_cell = marks.get((table.member or "", table.sheet or ""), {})
        sheet = book.add_worksheet(_sheet_name(table.sheet or Path(table.member or "").stem, taken))
        # JSON lines have no header line of their own: theirs stands above, and lines move down by one.
        shift = 0 if table.header_line else 1
        header_row = max(table.header_line - 1, 0)
        for column, cell in enumerate(table.header):
            sheet.write_string(header_row, column, cell, head)
        last_column: dict[int, int] = dict(sorted(at_cell))
        written = 0
        for block in table.blocks:
            for line, cells in zip(block.column(0).to_pylist(), block.column(1).to_pylist(), strict=True):
                row = line - 1 + shift
                for column in range(max(len(cells), last_column.get(line, -1) + 1)):
                    text = (cells[column] if column < len(cells) else None) or ""
                    problems = at_cell.get((line, column))
                    sheet.write_string(row, column, text, *([fills[_severity(problems)]] if problems else []))
                    if problems and written < _MOST_COMMENTS:
                        options = {"author": "edulake", "x_scale": 3, "y_scale": 1.5}
                        sheet.write_comment(row, column, _comment(problems), options)
                        written += 1
        sheet.freeze_panes(header_row + 1, 0)
    book.close()
    return data.getvalue()


def _severity(problems: list[Problem]) -> str:
    found = {problem.severity for problem in problems}
    return next(severity for severity in _FILLS if severity in found)


def _comment(problems: list[Problem]) -> str:
    return "\n".join(f"[{p.severity}] {p.heading}: {p.wrong_zh}。{p.fix_zh}" for p in problems)


def _sheet_name(name: str, taken: set[str]) -> str:
    """A name that a workbook takes: at most 31 characters, none of the forbidden ones, none twice."""
    kept = "".join(c for c in name if c not in "[]:*?/\\").strip("'")[:31] or "报送数据"
    number = 2
    found = kept
    while found.lower() in taken:
        found = f"{kept[:27]} {number}"
        number += 1
    taken.add(found.lower())
    return found
