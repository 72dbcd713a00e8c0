"""A whole form: each item's answer, its newest delivery where a lake is there, the share that is held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jobs import declare
from jobs.decide.evaluation.collected import form, match
from jobs.decide.evaluation.collected.match import Answer, Status
from jobs.lake import tables, withdrawals
from jobs.settings import Settings

COLUMNS = (
    *("item", "group", "sheet", "line", "status", "held_in", "datasets", "source", "newest_delivery"),
    *("score", "note"),
)
_SENDERS = {
    "city": "市级部门",
    "school": "学校",
    "district": "区级教育部门",
    "reporting_unit": "区级教育部门或学校",
    "contributor": "资源提供单位",
}


@dataclass(frozen=True)
class Newest:
    """The newest accepted delivery of a dataset, and how many senders have sent it."""

    day: date
    sender_count: int


def answers(path: Path) -> list[Answer]:
    """What the lake has of each item of a form, in its order. Raises UserError for a file without items."""
    return [match.answer(item) for item in form.items(path)]


def newest(settings: Settings) -> dict[str, Newest]:
    """Dataset -> its newest accepted delivery that stands; nothing where there is no lake."""
    columns = ["dataset", "sender_code", "received_date", "delivery_id", "outcome"]
    gone = withdrawals.load(settings)
    found: dict[str, list[tuple[date, str]]] = {}
    for row in tables.rows(settings, "ops__receipt", columns):
        if row["outcome"] == "accepted" and row["dataset"] and row["delivery_id"] not in gone:
            found.setdefault(row["dataset"], []).append((row["received_date"], row["sender_code"]))
    return {
        dataset: Newest(max(day for day, _ in sent), len({sender for _, sender in sent}))
        for dataset, sent in found.items()
    }


def source(answer: Answer) -> str:
    """Who sends what an item is held in."""
    contracts = [declare.load()[name] for name in answer.datasets]
    return "、".join(dict.fromkeys(_SENDERS[contract.sender] for contract in contracts))


def delivered(answer: Answer, known: Mapping[str, Newest]) -> str:
    """The newest delivery of the datasets behind an answer: the older of several counts; else nothing."""
    days = [known[name].day for name in answer.datasets if name in known]
    return min(days).isoformat() if days and len(days) == len(answer.datasets) else ""


def rows(found: Iterable[Answer], known: Mapping[str, Newest]) -> list[tuple[object, ...]]:
    """One row an item, in the order of COLUMNS."""
    return [
        (
            answer.item.text,
            " / ".join(answer.item.groups),
            answer.item.sheet,
            answer.item.line,
            answer.status.value,
            answer.place,
            " ".join(answer.datasets),
            source(answer),
            delivered(answer, known),
            answer.score,
            answer.note,
        )
        for answer in found
    ]


def summary(found: Sequence[Answer]) -> str:
    """How much of the form is there: only what is certain counts."""
    counts = {status: sum(answer.status is status for answer in found) for status in Status}
    had = sum(answer.is_had for answer in found)
    rest = [
        f"{counts[status]} 项{words}"
        for status, words in (
            (Status.PART, "部分已有"),
            (Status.PERHAPS, "名称相近、待确认"),
            (Status.NONE, "没有"),
        )
        if counts[status]
    ]
    made = counts[Status.MADE]
    told = f"{len(found)} 项中 {had} 项已有 ({had / len(found):.0%}), 其中 {made} 项可由已有数据计算"
    return "; ".join([told, *rest]) + "。"
