"""The sender's report of one receipt, in Chinese: the outcome of the file, and what to correct row by row.

Sheet, line, column and rule are named, and no value of any row. `jobs.replies.report_files` writes it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from jobs import declare
from jobs.declare import Contract, reasons, words
from jobs.ingest import relations
from jobs.lake import deliveries, tables
from jobs.lake.deliveries import LandedFile
from jobs.reading import reader
from jobs.reading.recognize import Table
from jobs.settings import Settings, UserError

OUTCOMES = {
    "accepted": "已接收",
    "held": "暂缓 (整批未生效)",
    "refused": "退回 (整个文件)",
    "repeated": "重复 (与已收文件相同, 未再处理)",
    "failed": "读取失败 (系统原因, 无需重报)",
}
WAY_OUT = {
    "accepted": "已接收的行已生效。请更正“退回”的行后重报; 只报更正的行即可, 整表报送的须整表重报。",
    "held": "本批数据尚未生效, 上一批仍然有效。请按下列原因更正后, 以新的批次重新报送整个文件。",
    "refused": "文件无法识别或没有数据, 没有一行生效。请对照报送模板核对表头、编码与完整性后重报。",
    "repeated": "内容与先前收到的文件完全相同, 无需处理。若本意是更正, 请修改后重新报送。",
    "failed": "读取程序出错, 与报送内容无关。程序修复后系统自动重读, 无需重新报送。",
}
REFUSED, FLAGGED, ASKED = "退回", "存疑", "核对"


@dataclass(frozen=True, order=True)
class Problem:
    """One line and reason. `position` is the column's place in the sender's table, from 0."""

    member: str
    sheet: str
    line: int
    severity: str
    column_name: str
    rule: str
    heading: str
    position: int | None = field(compare=False)
    rule_zh: str
    wrong_zh: str
    fix_zh: str

    def cells(self) -> list[str | int]:
        """Return the problem as a row of the report's table of lines."""
        return [
            self.severity,
            self.member,
            self.sheet,
            self.line or "整表",
            self.heading,
            self.rule_zh,
            self.wrong_zh,
            self.fix_zh,
        ]


@dataclass(frozen=True)
class Report:
    """A receipt and all that is wrong with its lines; no values."""

    receipt: dict[str, Any]
    contract: Contract | None
    problems: list[Problem]
    rates: list[str] = field(default_factory=list)
    language: reasons.Language = "zh"

    def facts(self) -> list[tuple[str, str]]:
        """Return the report's head: file, sender, outcome, counts, in the order shown."""
        r = self.receipt
        shape = " ".join(str(r[name]) for name in ("container", "encoding") if r[name])
        return [
            ("回执编号", r["receipt_id"]),
            ("文件", r["file_name"]),
            ("报送单位", _sender(r["sender_code"])),
            ("接收批次", f"{r['received_date']} 第{r['delivery_no']}批"),
            ("数据表", f"{self.contract.zh} ({self.contract.dataset})" if self.contract else "未能识别"),
            ("文件形式", shape),
            ("处理结果", OUTCOMES.get(r["outcome"], str(r["outcome"]))),
            ("数据行", f"{r['line_count']:,}"),
            ("合格行", f"{r['accepted_count']:,}"),
            ("其中存疑", f"{r['flagged_count']:,}"),
            ("退回行", f"{r['refused_count']:,}"),
            ("整批原因", reasons.joined(r["reasons"], self.language) or "无"),
            ("关联核对", "; ".join(self.rates) or "无"),
            ("下一步", WAY_OUT.get(r["outcome"], "")),
        ]

    def by_rule(self) -> list[tuple[str, str, str, int]]:
        """Return severity, heading, rule in words and number of lines, the most frequent first."""
        counted = Counter((p.severity, p.heading, p.rule_zh) for p in self.problems)
        return [(*what, count) for what, count in sorted(counted.items(), key=lambda i: (-i[1], i[0]))]


def find_receipt(settings: Settings, start: str) -> dict[str, Any]:
    """Return the receipt whose id begins with `start`. Raises UserError for none, and for more than one."""
    found = [r for r in tables.rows(settings, "ops__receipt") if r["receipt_id"].startswith(start.lower())]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"there is no receipt {start!r} at {settings.site}.", "`./edulake feed receipts` lists them."
        )
    ids = ", ".join(sorted(r["receipt_id"] for r in found)[:6])
    raise UserError(f"{len(found)} receipts begin with {start!r}: {ids} …", "Give more digits.")


def became_of(settings: Settings, file: LandedFile) -> str:
    """Return in English what became of a landed file, and what can be done with it now."""
    received = f"These bytes were landed already, as {file.delivery_id}/{file.name}."
    rows = [r for r in tables.rows(settings, "ops__receipt") if r["receipt_id"] == file.receipt_id]
    if not rows:
        return f"{received} The file waits.\nnext: ./edulake run --site {settings.site}"
    (row,) = rows
    found = f"{received} It is {row['outcome']} by receipt {row['receipt_id']} of run {row['run_id']}"
    if row["line_count"]:
        found += f": {row['line_count']:,} lines, {row['refused_count']:,} of them refused"
    why = f" {reasons.joined(row['reasons'], settings.language)}" if row["reasons"] else ""
    option = f"{row['receipt_id']} --site {settings.site}"
    again = f"\nto read it again: ./edulake feed retry {option}" * (row["outcome"] in ("refused", "failed"))
    return f"{found}.{why}\nwhat its sender is told: ./edulake feed report {option}{again}"


def receipts_of(settings: Settings, sender: str | None = None) -> list[dict[str, Any]]:
    """Return receipts, the newest delivery first; those of one sender where it is given."""
    found = [r for r in tables.rows(settings, "ops__receipt") if sender is None or r["sender_code"] == sender]
    return sorted(
        found,
        key=lambda r: (r["received_date"], r["delivery_no"], r["feed"], r["sender_code"], r["file_name"]),
        reverse=True,
    )


def gather(settings: Settings, receipt: dict[str, Any]) -> Report:
    """Return the receipt's refused and flagged lines, each explained, in the order of the file."""
    contract = declare.load().get(receipt["dataset"]) if receipt["dataset"] else None
    if contract is None:
        return Report(receipt, None, [], language=settings.language)
    header = _Headers(settings, receipt)
    found = [
        _problem(contract, header, REFUSED, row, row["column_name"], row["rule"])
        for row in _lines_of(settings, "ops__refused_row", receipt, "delivery_id", "file_sha256")
    ]
    flagged = [
        *_lines_of(settings, contract.table, receipt, "_delivery_id", "_file_sha256"),
        *_lines_of(settings, "ops__flagged_row", receipt, "delivery_id", "file_sha256"),
    ]
    for row in flagged:
        for flag in row["flags"]:
            column_name, _, rule = flag.partition(":")
            found.append(_problem(contract, header, FLAGGED, row, column_name, rule))
    findings, rates = relations.findings_of(settings, receipt)
    found += [_related(contract, header, row) for row in findings]
    return Report(receipt, contract, sorted(set(found)), [_rate(row) for row in rates], settings.language)


def _lines_of(
    settings: Settings, table: str, receipt: dict[str, Any], delivery: str, file: str
) -> list[dict[str, Any]]:
    """Lines of one file in a table: where each stands, and its reasons; of clean rows only flagged ones."""
    found = tables.open_arrow(settings, table)
    if found is None:
        return []
    prefix = "_" if delivery.startswith("_") else ""
    place = {name: f"{prefix}{name}" for name in ("member", "sheet", "line_number")}
    why = ["column_name", "rule"] if table == "ops__refused_row" else ["flags"]
    condition = (pc.field(file) == receipt["file_sha256"]) & (pc.field(delivery) == receipt["delivery_id"])
    kept = found.to_table(columns=[*place.values(), *why], filter=condition)
    if "flags" in why:
        kept = kept.filter(pc.greater(pc.list_value_length(kept["flags"]), 0))
    own = {theirs: ours for ours, theirs in place.items()}
    return [{own.get(k, k): v for k, v in row.items()} for row in kept.to_pylist()]


class _Headers:
    """The header of each table of a file. The receipt has the first one; the others are read again."""

    def __init__(self, settings: Settings, receipt: dict[str, Any]) -> None:
        self._first = list(receipt["header"] or [])
        self._others: dict[tuple[str, str], list[str]] = {}
        if (receipt.get("table_count") or 1) > 1:
            for table in tables_of(settings, receipt):
                self._others[table.member or "", table.sheet or ""] = table.header

    def of(self, row: dict[str, Any]) -> list[str]:
        return self._others.get((row["member"] or "", row["sheet"] or ""), self._first)


def tables_of(settings: Settings, receipt: dict[str, Any]) -> list[Table]:
    """Return the tables of a receipt's file, read again; none where it is gone or no longer readable."""
    path = deliveries.located(settings, receipt["delivery_id"], receipt["file_name"])
    if not path.is_file():
        return []
    reading = reader.read(path, declare.datasets_of(receipt["feed"]))
    return reading.tables if reading.contract else []


def _problem(
    contract: Contract, header: _Headers, severity: str, row: dict[str, Any], column_name: str, rule: str
) -> Problem:
    explained = words.explain(contract, column_name, rule)
    heading, position = words.heading(contract, header.of(row), column_name)
    return Problem(
        member=row["member"] or "",
        sheet=row["sheet"] or "",
        line=row["line_number"],
        severity=severity,
        column_name=column_name,
        rule=rule,
        heading=heading,
        position=position,
        rule_zh=explained.rule_zh,
        wrong_zh=explained.wrong_zh,
        fix_zh=explained.fix_zh,
    )


def _related(contract: Contract, header: _Headers, row: dict[str, Any]) -> Problem:
    """A finding against another file; line 0 where it concerns a whole school."""
    relation = relations.load()[row["relation"]]
    heading, position = words.heading(contract, header.of(row), row["column_name"])
    evidence = f" ({row['evidence']})" if row["evidence"] else ""
    return Problem(
        member=row["member"] or "",
        sheet=row["sheet"] or "",
        line=row["line_number"] or 0,
        severity=ASKED,
        column_name=row["column_name"],
        rule=row["relation"],
        heading=heading,
        position=position,
        rule_zh=relation.zh,
        wrong_zh=relation.wrong_zh + evidence,
        fix_zh=relation.fix_zh,
    )


def _rate(row: dict[str, Any]) -> str:
    below = "" if row["is_within"] else ", 低于下限"
    return (
        f"{relations.load()[row['relation']].zh} {row['matched_count']:,}/{row['examined_count']:,} "
        f"(下限 {row['least_share']:.0%}{below})"
    )


def _sender(code: str) -> str:
    name = declare.sender_name(code)
    return f"{name} {code}" if name else code


# What leaves the house
