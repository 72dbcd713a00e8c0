"""A sender's report as files.

Two may be sent out (`<receipt>.xlsx`, `<receipt>.html`): they hold no value of any row. The third, the
sender's own lines with comments and color on the cells, is for those who may see the rows anyway
(`jobs.replies.marked_copy`).
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobs import cells
from jobs.declare.words import Text
from jobs.files import replacing
from jobs.replies import marked_copy
from jobs.replies.report import COLUMNS, Problem, Report
from jobs.settings import Settings, writing
from jobs.sql import parquet

# Lines on one sheet, which takes few more; lines on the page, which is for reading: the workbook has all.
MOST_LINES = 1_000_000
MOST_SHOWN = 5_000

TITLE = Text("数据报送回执", "Receipt of data sent")
BY_RULE = (Text("处理", "outcome"), Text("列: 规则", "column: what is asked"), Text("行数", "lines"))
_SUMS = Text("按规则汇总", "By rule")
_LINES = Text("逐行问题", "Line by line")
_MORE = Text(
    "只显示前 {:,} 条, 其余见同名工作簿。", "The first {:,} are shown; the workbook of this name has all."
)
_NO_LINES = Text("没有需要逐行更正的问题。", "No line needs to be corrected.")
_NO_VALUES = Text(
    "本回执只含行号、列名与规则, 不含任何数据值。",
    "It names lines, columns and rules, and no value of any row.",
)


def write(settings: Settings, report: Report, out: Path | None = None) -> dict[str, Path]:
    """Write the report's files and return where: `xlsx` and `html` (no values), and `marked`, the sender's
    own lines with comments, where a line is named.

    All lie in the restricted zone, as the sender's own headings do; the first two in `out` where it is given.
    """
    receipt_id = report.receipt["receipt_id"]
    own = settings.restricted / "reports" / report.receipt["sender_code"]
    folder = out or own
    made = {"xlsx": folder / f"{receipt_id}.xlsx", "html": folder / f"{receipt_id}.html"}
    with writing(folder):
        for private in (own.parent, own):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.chmod(0o700)
        folder.mkdir(parents=True, exist_ok=True)
        _write(report, made)
        marked = own / f"{receipt_id}_marked.xlsx"
        if marked_copy.write(settings, report, marked):
            made["marked"] = marked
    return made


def write_trial(report: Report, lines: Path | None, folder: Path, stem: str) -> dict[str, Path]:
    """Write the report of a file that was judged without a run to a folder, its files named by `stem`;
    `marked` where the file's lines were kept (`Trial.lines`) and one of them is named.
    """
    made = {kind: folder / f"{stem}.{kind}" for kind in ("xlsx", "html")}
    with writing(folder, of_lake=False):
        folder.mkdir(parents=True, exist_ok=True)
        _write(report, made)
        marked = folder / f"{stem}_marked.xlsx"
        if lines and marked_copy.write_lines(report, parquet(lines), marked):
            made["marked"] = marked
    return made


def _write(report: Report, made: Mapping[str, Path]) -> None:
    with replacing(made["xlsx"], mode=0o600) as fresh:
        fresh.write_bytes(_workbook(report))
    with replacing(made["html"], mode=0o600) as fresh:
        fresh.write_text(_page(report), encoding="utf-8")


def _workbook(report: Report) -> bytes:
    data = io.BytesIO()
    language = report.language
    book = cells.workbook(data, in_memory=True)
    bold = book.add_format({"bold": True, "valign": "top"})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    title = book.add_format({"bold": True, "font_size": 16})
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
    first = book.add_worksheet("回执")
    first.set_column(0, 0, 14 if language == "zh" else 26)
    first.set_column(1, 1, 90)
    first.write_string(0, 0, TITLE.label(language), title)
    for said in report.origin():
        first.write_string(1, 0, said, bold)
    at = 2
    for name, fact in report.facts():
        first.write_string(at, 0, name, bold)
        first.write_string(at, 1, fact, wrap)
        at += 1
    if report.problems:
        at += 1
        for column, text in enumerate(BY_RULE):
            first.write_string(at, column, text.label(language), head)
        for severity, heading, rule, count in report.by_rule():
            at += 1
            first.write_string(at, 0, severity, bold)
            first.write_string(at, 1, f"{heading}: {rule}", wrap)
            first.write_number(at, 2, count)
    for begin in range(0, len(report.problems), MOST_LINES):
        part = report.problems[begin : begin + MOST_LINES]
        sheet = book.add_worksheet(f"逐行问题{f' {begin // MOST_LINES + 1}' if begin else ''}")
        for column, (text, width) in enumerate(COLUMNS):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, text.label(language), head)
        for line, problem in enumerate(part, 1):
            for column, cell in enumerate(problem.cells()):
                if isinstance(cell, int):
                    sheet.write_number(line, column, cell, wrap)
                else:
                    sheet.write_string(line, column, cell, wrap)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(part), len(COLUMNS) - 1)
    # A workbook's own dates would make equal reports unequal.
    book.set_properties(
        {"title": TITLE.label(language), "created": report.receipt["recorded_at"].replace(tzinfo=None)}
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
.origin{border:2px solid #b5562f;padding:.4rem .8rem;font-weight:600}
td{white-space:pre-line}tbody td:first-child{font-weight:600}
.退回 td:first-child{color:#9c1c1c}.存疑 td:first-child{color:#7a5200}.核对 td:first-child{color:#1d4f86}
@media print{body{margin:0}thead{display:table-header-group}}
"""


def _page(report: Report) -> str:
    language = report.language
    facts = "".join(f"<tr><th scope=row>{_e(k)}</th><td>{_e(v)}</td></tr>" for k, v in report.facts())
    made_up = "".join(f"<p class=origin>{_e(said)}</p>" for said in report.origin())
    parts = [f"<h1>{_e(TITLE.label(language))}</h1>{made_up}<table class=facts>{facts}</table>"]
    if report.problems:
        sums = "".join(
            f"<tr><td>{_e(s)}</td><td>{_e(h)}</td><td>{_e(r)}</td><td class=n>{n:,}</td></tr>"
            for s, h, r, n in report.by_rule()
        )
        severity, rule, count = (_e(text.label(language)) for text in BY_RULE)
        column = _e(COLUMNS[4][0].label(language))
        parts.append(
            f"<h2>{_e(_SUMS.label(language))}</h2><table><thead><tr><th>{severity}</th><th>{column}</th>"
            f"<th>{rule}</th><th>{count}</th></tr></thead><tbody>{sums}</tbody></table>"
        )
        head = "".join(f"<th scope=col>{_e(text.label(language))}</th>" for text, _ in COLUMNS)
        shown = report.problems[:MOST_SHOWN]
        parts.append(
            f"<h2>{_e(_LINES.label(language))}</h2><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(_rows(shown))}</tbody></table>"
        )
        if len(report.problems) > len(shown):
            more = Text(_MORE.zh.format(MOST_SHOWN), _MORE.en.format(MOST_SHOWN))
            parts.append(f"<p>{_e(more.told(language))}</p>")
    else:
        parts.append(f"<p>{_e(_NO_LINES.told(language))}</p>")
    parts.append(f"<p>{_e(_NO_VALUES.told(language))}</p>")
    return (
        f"<!doctype html><html lang={'zh-CN' if language == 'zh' else 'en'}><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{_e(TITLE.label(language))} {_e(report.receipt['receipt_id'])}</title>"
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _rows(problems: Iterable[Problem]) -> Iterable[str]:
    for problem in problems:
        first, *others = problem.cells()
        yield (
            f"<tr class={problem.severity}><td>{_e(first)}</td>"
            + "".join(f"<td{' class=n' if isinstance(c, int) else ''}>{_e(c)}</td>" for c in others)
            + "</tr>"
        )


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)
