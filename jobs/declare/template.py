"""The workbook that a sender fills in, made from the contract, so that what it asks for is what is accepted.

The first sheet has the headings, a comment on each, lists to choose from and example rows. The second
explains every column. The third holds the code lists.
"""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

from jobs.cells import workbook
from jobs.declare import bounds, codes
from jobs.declare.codes import is_open, meanings
from jobs.declare.examples import example_rows
from jobs.declare.model import Column, Contract
from jobs.declare.shapes import pattern_words
from jobs.declare.words import BOUNDS_SHEET, CODES_SHEET
from jobs.files import OUTPUT_MODE, replacing

# Rows below the heading on which choices and formats are laid.
_LAST_ROW = 20_000
_TYPES_ZH = {
    "string": "文本",
    "int": "整数",
    "date": "日期, 如 2025-09-01",
    "bool": "是 或 否",
    "year": "年份, 如 2025",
    "duration": "分′秒″, 如 3′45″",
}


def write_template(contract: Contract, target: Path) -> None:
    """Write the template of a dataset: each column under its first heading, all cells as text.

    The sender writes over the two gray example rows; their persons and schools do not exist.
    """
    with replacing(target, OUTPUT_MODE) as fresh, workbook(fresh) as book:
        sheet = book.add_worksheet(contract.zh[:31])
        guide = book.add_worksheet("填写说明")
        lists = book.add_worksheet(CODES_SHEET)
        text = book.add_format({"num_format": "@"})
        grey = book.add_format({"num_format": "@", "font_color": "#808080", "italic": True})
        must = book.add_format({"bold": True, "bg_color": "#FCE4D6", "border": 1, "num_format": "@"})
        may = book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "num_format": "@"})
        head = book.add_format({"bold": True, "bottom": 1})
        guide.write_row(0, 0, ["列", "是否必填", "含义", "格式", "单位", "可用范围", "代码"], head)
        guide.set_column(0, 6, 22)
        _write_rules(guide, len(contract.columns) + 2, contract, head)
        if bounds.of(contract):
            _write_bounds(book.add_worksheet(BOUNDS_SHEET), contract, head)
        listed: dict[str, int] = {}
        sheet.freeze_panes(1, 0)
        examples = example_rows(contract)
        for at, column in enumerate(contract.columns):
            for number, row in enumerate(examples, 1):
                sheet.write_string(number, at, row[column.name], grey)
            heading = column.headings[0]
            sheet.set_column(at, at, max(10, 2 * len(heading) + 2), text)
            sheet.write_string(0, at, heading, must if column.required else may)
            sheet.write_comment(0, at, "\n".join(_told(column)), {"x_scale": 2, "font_size": 9})
            guide.write_row(at + 1, 0, _row(column))
            if column.codes:
                if column.codes not in listed:
                    listed[column.codes] = len(listed)
                    _write_codes(lists, 3 * listed[column.codes], contract, column, head)
                if not is_open(column):
                    first = 3 * listed[column.codes] + 1
                    count = len(codes.listed(column))
                    letter = xlsxwriter.utility.xl_col_to_name(first, col_abs=True)
                    choice = {
                        "validate": "list",
                        "source": f"='{CODES_SHEET}'!{letter}$3:{letter}${count + 2}",
                        "error_type": "warning",
                        "error_title": contract.zh,
                        "error_message": f"“{heading}”请从代码表中选择",
                    }
                    sheet.data_validation(1, at, _LAST_ROW, at, choice)


def _write_rules(sheet: xlsxwriter.worksheet.Worksheet, at: int, contract: Contract, head: object) -> None:
    """Write the rules over several columns below the columns."""
    if not contract.rules:
        return
    sheet.write_row(at, 0, ["跨列规则", "不符合时", "应当", "如何处理"], head)
    for line, rule in enumerate(contract.rules, at + 1):
        verdict = "退回该行" if rule.verdict == "refuse" else "接收并存疑"
        names = "、".join(contract.column(name).zh for name in rule.columns)
        sheet.write_row(line, 0, [names, verdict, rule.zh, rule.fix_zh])


def _write_bounds(sheet: xlsxwriter.worksheet.Worksheet, contract: Contract, head: object) -> None:
    """Write the bounds that depend on other columns and have no last day."""
    by = [f"按{contract.column(name).zh}" for name in contract.bounds_by]
    limits = ["通常不小于", "通常不大于", "不得小于", "不得大于"]
    sheet.write_row(0, 0, ["适用的列", *by, *limits, "依据"], head)
    for line, bound in enumerate(bounds.today(bounds.of(contract)), 1):
        sheet.write_row(line, 0, [contract.column(bound.column).zh, *_spelled(contract, bound)])
        for nth, limit in enumerate(bounds.LIMITS, 1 + len(by)):
            if (value := getattr(bound, limit)) is not None:
                sheet.write_number(line, nth, value)
        sheet.write_string(line, 1 + len(by) + len(limits), bound.source)


def _spelled(contract: Contract, bound: bounds.Bound) -> list[str]:
    """The values that a bound holds for; codes are shown by their meaning."""
    words = []
    for name, value in zip(contract.bounds_by, bound.by, strict=True):
        column = contract.column(name)
        words.append(meanings(column).get(value, value) if column.codes else value)
    return words


def _row(column: Column) -> list[str]:
    bounds = ""
    if column.refuse_outside:
        bounds = f"{column.refuse_outside[0]:g} 至 {column.refuse_outside[1]:g}"
    return [
        column.headings[0],
        "必填" if column.required else "选填",
        f"{column.zh} {column.en}",
        pattern_words(column.pattern, "zh") if column.pattern else _TYPES_ZH.get(column.type, "数字"),
        column.unit or "",
        bounds,
        f"见工作表“{CODES_SHEET}”" if column.codes else "",
    ]


def _told(column: Column) -> list[str]:
    names = ["", "", "含义", "格式", "单位", "范围", "代码表"]
    row = _row(column)
    return [row[1], *(f"{name}: {value}" for name, value in zip(names[2:], row[2:], strict=True) if value)]


def _write_codes(
    sheet: xlsxwriter.worksheet.Worksheet, at: int, contract: Contract, column: Column, head: object
) -> None:
    assert column.codes
    rows = codes.listed(column)
    # Bare names would read as the header of a table: this sheet would be a second, incomplete one.
    sheet.write(0, at, f"填入“{'、'.join(c.zh for c in contract.columns if c.codes == column.codes)}”", head)
    sheet.write_row(1, at, ["代码", "含义"], head)
    shown = column.codes_column or "code"
    for number, row in enumerate(rows, 2):
        sheet.write_string(number, at, row.get(shown) or row["code"])
        sheet.write_string(number, at + 1, row["meaning_zh"])
    sheet.set_column(at, at + 1, 18)
