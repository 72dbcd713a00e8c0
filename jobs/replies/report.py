"""The sender's report of one receipt: the outcome of the file, and what to correct row by row.

It is in Chinese, and in English beside it where the site speaks English. Sheet, line, column and rule are
named, and no value of any row. `jobs.replies.report_files` writes it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from jobs import declare, origin
from jobs.declare import Contract, model, reasons, words
from jobs.declare.words import Explanation, Language, Text
from jobs.ingest import relations, verdicts
from jobs.lake import receipt_text, runs, tables, withdrawals
from jobs.lake.deliveries import LandedFile
from jobs.lake.withdrawals import Withdrawal
from jobs.replies import totals, verdict
from jobs.replies.verdict import Verdict
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.ingest.trial import Trial

REFUSED, FLAGGED, ASKED, ASIDE = "退回", "存疑", "核对", "未计入"
# In the order of what to do first.
SEVERITIES = {
    REFUSED: Text(REFUSED, "refused"),
    ASKED: Text(ASKED, "to check"),
    FLAGGED: Text(FLAGGED, "in doubt"),
    ASIDE: Text(ASIDE, "left out"),
}


@dataclass(frozen=True, order=True)
class Problem:
    """One line and reason, sorted by what to do first. `position` is the column's place in the sender's
    table, from 0; `table` that of the table in the file.
    """

    rank: int
    table: int
    line: int
    column_name: str
    rule: str
    severity: str
    member: str
    sheet: str
    heading: str
    position: int | None = field(compare=False)
    asked: str
    wrong: str
    do: str
    language: Language

    @property
    def severity_told(self) -> str:
        return SEVERITIES[self.severity].label(self.language)

    def cells(self) -> list[str | int]:
        """Return the problem as a row of the report's table of lines."""
        where = [self.member, self.sheet, self.line or WHOLE_TABLE.label(self.language), self.heading]
        return [self.severity_told, *where, self.asked, self.wrong, self.do]


WHOLE_TABLE = Text("整表", "the whole table")
# The table of lines, and how wide each of its columns is.
COLUMNS = (
    (Text("处理", "outcome"), 8),
    (Text("压缩包成员", "member"), 14),
    (Text("工作表", "sheet"), 14),
    (Text("行号", "line"), 8),
    (Text("列 (报送表头)", "column (heading as sent)"), 18),
    (Text("规则", "what is asked"), 34),
    (Text("问题", "what is wrong"), 44),
    (Text("如何更正", "what to do"), 60),
)


@dataclass(frozen=True)
class Report:
    """A receipt and all that is wrong with its lines; no values."""

    receipt: dict[str, Any]
    contract: Contract | None
    problems: list[Problem]
    rates: list[str] = field(default_factory=list)
    language: Language = "zh"
    is_synthetic: bool = False
    # Rules that only a lake can tell, where the file was judged without one.
    unchecked: list[str] = field(default_factory=list)
    # By verdict, where it is another one than that of a file that was handed in.
    next_steps: Mapping[str, Text] = field(default_factory=dict)

    def origin(self) -> list[str]:
        """Return what is said first of the lines of a made-up city; nothing of real ones."""
        said = Text(origin.ZH, origin.EN).told(self.language)
        return [said] if self.is_synthetic else []

    def facts(self) -> list[tuple[str, str]]:
        """Return the report's head: file, sender, outcome, counts, in the order shown."""
        r, language = self.receipt, self.language
        shape = " ".join(str(r[name]) for name in ("container", "encoding") if r[name])
        dataset = Text("未能识别", "not recognized")
        if self.contract:
            dataset = Text(self.contract.zh, self.contract.en)
        none = Text("无", "none").label(language)
        facts = [
            (Text("回执编号", "receipt"), r["receipt_id"]),
            (Text("文件", "file"), r["file_name"] or ""),
            (Text("报送单位", "sender"), _sender(r["sender_code"])),
            (Text("接收批次", "delivery"), f"{r['received_date']} 第{r['delivery_no']}批"),
            (Text("数据表", "table"), dataset.label(language)),
            (Text("文件形式", "form"), shape),
            (Text("处理结果", "outcome"), self.verdict.word.label(language)),
            (Text("数据行", "lines"), f"{r['line_count']:,}"),
            (Text("合格行", "accepted"), f"{r['accepted_count']:,}"),
            (Text("其中存疑", "of these in doubt"), f"{r['flagged_count']:,}"),
            (Text("退回行", "refused"), f"{r['refused_count']:,}"),
            *self._withdrawn(),
            (Text("整批原因", "why"), _told(r["reasons"], language) or none),
            (Text("未读取的内容", "left unread"), _told(totals.unread(r["remarks"]), language) or none),
            (Text("关联核对", "against other files"), "; ".join(self.rates) or none),
            *self._unchecked(),
            (Text("下一步", "what to do"), self.next_step.told(language)),
        ]
        return [(name.label(language), fact) for name, fact in facts]

    @property
    def verdict(self) -> Verdict:
        """Return what became of the file in its sender's words, and the next step."""
        return verdict.of_receipt(self.receipt, sum(p.severity == ASKED for p in self.problems))

    @property
    def next_step(self) -> Text:
        """Return what the sender does next."""
        return self.next_steps.get(self.verdict.code, self.verdict.next_step)

    def _unchecked(self) -> list[tuple[Text, str]]:
        return [(Text("未在本机核对", "not checked here"), "; ".join(self.unchecked))] * bool(self.unchecked)

    def _withdrawn(self) -> list[tuple[Text, str]]:
        found: Withdrawal | None = self.receipt.get("withdrawal")
        return [(Text("撤回", "withdrawn"), f"{found.withdrawn_on}: {found.reason}")] if found else []

    def by_rule(self) -> list[tuple[str, str, str, int]]:
        """Return severity, heading, rule in words and number of lines: refused first, then by frequency."""
        counted = Counter((p.rank, p.severity_told, p.heading, p.asked) for p in self.problems)
        ordered = sorted(counted.items(), key=lambda item: (item[0][0], -item[1], item[0]))
        return [(*what[1:], count) for what, count in ordered]


def stands_as(receipt: Mapping[str, Any]) -> str:
    """Return the outcome as it stands now: `withdrawn`, whatever it was, once the delivery is taken back."""
    return verdict.WITHDRAWN if receipt.get("withdrawal") else str(receipt["outcome"])


def _receipts(settings: Settings) -> list[dict[str, Any]]:
    gone = withdrawals.load(settings)
    rows = receipt_text.receipts(settings)
    return [row | {"withdrawal": gone.get(row["delivery_id"])} for row in rows]


def find_receipt(settings: Settings, start: str) -> dict[str, Any]:
    """Return the receipt whose id begins with `start`. Raises UserError for none, and for more than one."""
    known = _receipts(settings)
    found = [r for r in known if r["receipt_id"].startswith(start.lower())]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"there is no receipt {start!r} at {settings.site}.",
            f"`{settings.command('feed', 'receipts')}` lists them.",
        )
    ids = ", ".join(sorted(r["receipt_id"] for r in found)[:6])
    raise UserError(f"{len(found)} receipts begin with {start!r}: {ids} …", "Give more digits.")


def became_of(settings: Settings, file: LandedFile) -> str:
    """Return in English what became of a landed file, and what can be done with it now."""
    received = f"These bytes were landed already, as {file.delivery_id}/{file.name}."
    rows = [r for r in _receipts(settings) if r["receipt_id"] == file.receipt_id]
    if not rows:
        return f"{received} The file waits.\nnext: {settings.command('run')}"
    (row,) = rows
    releases = {run.run_id: run.release_number for run in runs.all_runs(settings)}
    number = releases.get(row["run_id"])
    found = f"{received} It is {row['outcome']} by receipt {row['receipt_id']} of run {row['run_id']}"
    found += f", whose release is {number}" if number else ""
    if row["line_count"]:
        found += f": {row['line_count']:,} lines, {row['refused_count']:,} of them refused"
    why = f" {reasons.joined(row['reasons'], settings.language)}" if row["reasons"] else ""
    told = settings.command("feed", "report", row["receipt_id"])
    again = f"\nto read it again: {settings.command('feed', 'retry', row['receipt_id'])}"
    again *= row["outcome"] in ("refused", "failed")
    return f"{found}.{why}\nwhat its sender is told: {told}{again}"


def receipts_of(settings: Settings, sender: str | None = None) -> list[dict[str, Any]]:
    """Return receipts, the newest delivery first; those of one sender where it is given. `withdrawal` is that
    of its delivery, if any.
    """
    found = [r for r in _receipts(settings) if sender is None or r["sender_code"] == sender]
    return sorted(
        found,
        key=lambda r: (r["received_date"], r["delivery_no"], r["feed"], r["sender_code"], r["receipt_id"]),
        reverse=True,
    )


def gather(settings: Settings, receipt: dict[str, Any]) -> Report:
    """Return the receipt's refused and flagged lines, each explained, refused ones first."""
    contract = declare.load().get(receipt["dataset"]) if receipt["dataset"] else None
    if contract is None:
        return Report(receipt, None, [], language=settings.language, is_synthetic=settings.is_synthetic)
    refused = _lines_of(settings, "ops__refused_row", receipt, "delivery_id", "file_sha256")
    flagged = [
        *_lines_of(settings, contract.table, receipt, "_delivery_id", "_file_sha256"),
        *_lines_of(settings, "ops__flagged_row", receipt, "delivery_id", "file_sha256"),
    ]
    return _made(settings, receipt, contract, (refused, flagged, *relations.findings_of(settings, receipt)))


def of_trial(settings: Settings, trial: Trial, next_steps: Mapping[str, Text] | None = None) -> Report:
    """The same of a file that was judged without a run; `next_steps` as `Report` has them."""
    if (contract := trial.contract) is None:
        made = Report(trial.receipt, None, [], language=settings.language, is_synthetic=settings.is_synthetic)
    else:
        lines = trial.refused.to_pylist(), trial.flagged.to_pylist()
        made = _made(settings, trial.receipt, contract, (*lines, trial.findings, trial.rates))
    asked = [one.asked.label(settings.language) for one in trial.unchecked]
    return replace(made, unchecked=asked, next_steps=next_steps or {})


_Rows = list[dict[str, Any]]


def _made(
    settings: Settings,
    receipt: dict[str, Any],
    contract: Contract,
    rows: tuple[_Rows, _Rows, _Rows, _Rows],
) -> Report:
    """A report of refused lines, flagged lines, findings against other files, and rates of those."""
    refused, flagged, findings, rates = rows
    of_file = _File(receipt, contract, settings.language)
    found = [_problem(of_file, REFUSED, row, row["column_name"], row["rule"]) for row in refused]
    for row in flagged:
        for flag in row["flags"]:
            column_name, _, rule = flag.partition(":")
            found.append(_problem(of_file, FLAGGED, row, column_name, rule))
    found += [_related(of_file, row) for row in findings]
    found += [of_file.total(remark) for remark in receipt.get("remarks") or () if totals.is_one(remark)]
    return Report(
        receipt,
        contract,
        [*_once(sorted(set(found)))],
        [_rate(row) for row in rates],
        settings.language,
        settings.is_synthetic,
    )


def _once(problems: list[Problem]) -> Iterator[Problem]:
    """The problems without those that repeat a line left aside: a wide form has it in each of its tables."""
    seen = set()
    for one in problems:
        place = one.member, one.sheet, one.line, one.rule
        if one.severity != ASIDE or one.sheet == "" or place not in seen:
            yield one
        seen.add(place)


def _lines_of(
    settings: Settings, table: str, receipt: dict[str, Any], delivery: str, file: str
) -> list[dict[str, Any]]:
    """Lines of one file in a table: where each stands, and its reasons; of clean rows only flagged ones."""
    found = tables.open_arrow(settings, table)
    if found is None:
        return []
    place = {"table_number": "table_number", "line_number": "line_number"}
    if delivery.startswith("_"):
        place = {"table_number": "_table", "line_number": "_line_number"}
    why = ["column_name", "rule"] if table == "ops__refused_row" else ["flags"]
    condition = (pc.field(file) == receipt["file_sha256"]) & (pc.field(delivery) == receipt["delivery_id"])
    kept = found.to_table(columns=[*place.values(), *why], filter=condition)
    if "flags" in why:
        kept = kept.filter(pc.greater(pc.list_value_length(kept["flags"]), 0))
    own = {theirs: ours for ours, theirs in place.items()}
    return [{own.get(k, k): v for k, v in row.items()} for row in kept.to_pylist()]


class _File:
    """The file of a receipt: its contract, and where each table stands and its header, as typed."""

    def __init__(self, receipt: dict[str, Any], contract: Contract, language: Language) -> None:
        self._contract, self._language = contract, language
        self._members = receipt.get("members") or []
        self._sheets = receipt.get("sheets") or []
        self._headers = [json.loads(header) for header in receipt.get("headers") or []]
        # Many lines share a rule and a column.
        self.explained = cache(self._explained)
        self._heading = cache(self._heading_of)

    def _explained(self, column_name: str, rule: str, severity: str) -> Explanation:
        return words.explain(self._contract, column_name, rule, is_refused=severity == REFUSED)

    def _heading_of(self, number: int, column_name: str) -> tuple[str, int | None]:
        # Blank where the text of the receipt may not be read.
        header = self._headers[number] if number < len(self._headers) else []
        return words.heading(self._contract, header, column_name)

    def total(self, remark: str) -> Problem:
        """A total of a wide form that is no sum, as a question about its cell."""
        told = reasons.details(remark)
        places = list(zip(self._members, self._sheets, strict=True))
        here = (told.get("member"), told.get("sheet"))
        row = {"table_number": places.index(here) if here in places else 0, "line_number": told["line"]}
        (heading,) = told.get("headings") or [""]
        header = self._headers[row["table_number"]] if self._headers else []
        cell = heading, header.index(heading) if heading in header else None
        return self.problem(ASKED, row, self._contract.wide["value"], verdicts.TOTAL, totals.SAID, cell)

    def problem(
        self,
        severity: str,
        row: dict[str, Any],
        column_name: str,
        rule: str,
        said: Explanation,
        cell: tuple[str, int | None] | None = None,
    ) -> Problem:
        """One line of the file and what is said of it; `cell`: heading and place, if not the column's own."""
        number = row["table_number"] or 0
        is_known = number < len(self._headers)
        heading, position = cell or self._heading(number, column_name)
        return Problem(
            [*SEVERITIES].index(severity),
            number,
            row["line_number"] or 0,
            column_name,
            rule,
            severity,
            (self._members[number] or "") if is_known else "",
            (self._sheets[number] or "") if is_known else "",
            heading,
            position,
            said.asked.told(self._language),
            said.wrong.told(self._language),
            said.do.told(self._language),
            self._language,
        )


def _problem(found: _File, severity: str, row: dict[str, Any], column_name: str, rule: str) -> Problem:
    if severity == REFUSED and rule in model.ASIDE:
        severity = ASIDE
    return found.problem(severity, row, column_name, rule, found.explained(column_name, rule, severity))


def _related(found: _File, row: dict[str, Any]) -> Problem:
    """A finding against another file; line 0 where it concerns a whole school."""
    relation = relations.load()[row["relation"]]
    evidence = f" ({row['evidence']})" if row["evidence"] else ""
    said = Explanation(
        Text(relation.zh, relation.en),
        Text(relation.wrong_zh + evidence, relation.wrong_en + evidence),
        Text(relation.fix_zh, relation.fix_en),
    )
    return found.problem(ASKED, row, row["column_name"], row["relation"], said)


def _rate(row: dict[str, Any]) -> str:
    below = "" if row["is_within"] else ", 低于下限"
    return (
        f"{relations.load()[row['relation']].zh} {row['matched_count']:,}/{row['examined_count']:,} "
        f"(下限 {row['least_share']:.0%}{below})"
    )


def _told(found: list[str] | None, language: Language) -> str:
    """Reasons in the language of the site, in English with the Chinese below."""
    return Text(reasons.joined(found, "zh"), reasons.joined(found, "en")).told(language) if found else ""


def _sender(code: str) -> str:
    name = declare.sender_name(code)
    return f"{name} {code}" if name else code


# What leaves the house
