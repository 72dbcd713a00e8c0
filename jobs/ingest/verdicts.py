"""The verdict on each delivered file, as a function of the set of files: never of the order of processing.

A file is compared only with files *stamped* earlier (day received, number of that day, name). So a file that
comes to light late, with an earlier stamp, can change the verdict on later ones; `changed` names those, and
ingest takes them again. A verdict is an outcome and reasons; reasons are codes with details, so rewording a
sentence changes no verdict (`jobs.declare.reasons`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.declare import Contract, reasons
from jobs.reading import recognize

ACCEPTED, HELD, REFUSED, REPEATED = "accepted", "held", "refused", "repeated"
# Our own code failed on the file: no verdict on what its sender sent (`jobs.ingest.failures`).
FAILED = "failed"

# The remark that lines were left aside.
ASIDE = "lines_aside"

# So few lines hold no file whatever their share, as long as most of the file stands.
FEW_LINES = 3
_HALF = 0.5

# Outcomes of files of which no line was read.
UNREAD = (REFUSED, REPEATED, FAILED)


@dataclass(frozen=True)
class Filed:
    """The facts a verdict rests on: who sent which bytes when, and how many lines were accepted."""

    receipt_id: str
    feed: str
    sender: str
    received: str
    delivery_no: int
    file_name: str
    sha256: str
    dataset: str | None = None
    line_count: int = 0
    accepted_count: int = 0
    refused_count: int = 0
    scope_count: int = 0
    aside_count: int = 0
    outcome: str | None = None
    reasons: tuple[str, ...] = ()

    @property
    def stamp(self) -> tuple[str, int, str, str]:
        """By what files are ordered: day received, number of that day, name."""
        return self.received, self.delivery_no, self.file_name, self.receipt_id

    @property
    def content(self) -> tuple[Any, ...]:
        """Equal for the same bytes of one sender, unless the two names state two terms: the roll of a small
        school may not have changed.
        """
        return self.feed, self.sender, self.sha256, recognize.period_in_name(self.file_name)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a file: one of the outcomes, and why (codes with details)."""

    outcome: str
    reasons: tuple[str, ...] = ()


def filed(receipt: Mapping[str, Any]) -> Filed:
    """Return a receipt as verdicts compare it: a row of `ops__receipt` with its `file_name` beside it."""
    return Filed(
        receipt_id=receipt["receipt_id"],
        feed=receipt["feed"],
        sender=receipt["sender_code"],
        received=str(receipt["received_date"]),
        delivery_no=receipt["delivery_no"],
        file_name=receipt["file_name"],
        sha256=receipt["file_sha256"],
        dataset=receipt["dataset"],
        line_count=receipt["line_count"] or 0,
        accepted_count=receipt["accepted_count"] or 0,
        refused_count=receipt["refused_count"] or 0,
        scope_count=receipt["scope_count"] or 0,
        aside_count=aside_count(receipt["remarks"] or ()),
        outcome=receipt["outcome"],
        reasons=tuple(receipt["reasons"] or ()),
    )


COLUMNS = [
    "receipt_id",
    "feed",
    "sender_code",
    "received_date",
    "delivery_no",
    "file_name",
    "file_sha256",
    "dataset",
    "line_count",
    "accepted_count",
    "refused_count",
    "scope_count",
    "outcome",
    "reasons",
    "remarks",
]


def aside_count(remarks: Iterable[str]) -> int:
    """Return how many lines a file's remarks say were left aside: no data, and so nobody's mistake."""
    return sum(
        reasons.details(remark).get("lines", 0) for remark in remarks if reasons.code_of(remark) == ASIDE
    )


def first_of_content(files: Iterable[Filed]) -> dict[tuple[Any, ...], Filed]:
    """Return content -> the earliest-stamped file that holds it, of the files that were read."""
    first: dict[tuple[Any, ...], Filed] = {}
    for file in sorted(files, key=lambda f: f.stamp):
        if file.outcome not in UNREAD:
            first.setdefault(file.content, file)
    return first


def repeated(file: Filed, first: Mapping[tuple[Any, ...], Filed]) -> Verdict | None:
    """Return the verdict on a file whose bytes came earlier, else None."""
    earlier = first.get(file.content)
    if earlier is None or earlier.stamp >= file.stamp:
        return None
    return Verdict(REPEATED, (reasons.text("repeated", receipt=earlier.receipt_id),))


def judge(files: Iterable[Filed], contracts: Mapping[str, Contract]) -> dict[str, Verdict]:
    """Return receipt id -> verdict of every file given; the same whatever their order.

    Files that could not be read keep their verdict. The bounds are the contract's: the share of refused
    lines, and accepted rows per scope against the sender's last accepted delivery of the dataset.
    """
    known = list(files)
    first = first_of_content(known)
    found: dict[str, Verdict] = {}
    chains: dict[tuple[str, str], list[Filed]] = defaultdict(list)
    for file in known:
        if file.outcome == FAILED:
            found[file.receipt_id] = Verdict(FAILED, file.reasons)
        elif again := None if file.outcome == REFUSED else repeated(file, first):
            found[file.receipt_id] = again
        elif file.outcome == REPEATED:
            found[file.receipt_id] = Verdict(ACCEPTED, (reasons.text("not_read"),))
        elif file.dataset is None or file.outcome == REFUSED:
            found[file.receipt_id] = Verdict(REFUSED, file.reasons)
        else:
            chains[file.dataset, file.sender].append(file)
    for (dataset, _), chain in chains.items():
        last: Filed | None = None
        for file in sorted(chain, key=lambda f: f.stamp):
            verdict = _by_bounds(file, last, contracts[dataset].rows)
            found[file.receipt_id] = verdict
            if verdict.outcome == ACCEPTED:
                last = file
    return found


def changed(files: Iterable[Filed], contracts: Mapping[str, Contract]) -> list[Filed]:
    """Return the files whose verdict is another one now, earliest first: they must be taken again."""
    known = list(files)
    now = judge(known, contracts)
    return sorted(
        (
            f
            for f in known
            if (f.outcome, f.reasons) != (now[f.receipt_id].outcome, now[f.receipt_id].reasons)
        ),
        key=lambda f: f.stamp,
    )


def _by_bounds(file: Filed, last: Filed | None, bounds: Mapping[str, float]) -> Verdict:
    found: list[str] = []
    wrong = file.refused_count - file.aside_count
    share = wrong / max(file.line_count - file.aside_count, 1)
    if share > bounds.get("most_refused_share", 1.0) and not _is_little(share, wrong):
        found.append(
            reasons.text(
                "too_many_refused",
                refused=wrong,
                share=round(share, 6),
                most=bounds["most_refused_share"],
            )
        )
    least = bounds.get("least_share_of_last")
    if last is not None and least:
        size, before = _rows_a_scope(file), _rows_a_scope(last)
        if size < least * before and not _is_little(1 - size / before, before - size):
            found.append(reasons.text("rows_fell", rows=round(size, 3), before=round(before, 3), least=least))
    if not file.accepted_count and not found:
        found.append(reasons.text("none_accepted"))
    return Verdict(HELD if found else ACCEPTED, tuple(found))


def _is_little(share: float, lines: float) -> bool:
    """Whether a share is one of few lines, and not of most of a file."""
    return lines <= FEW_LINES and share <= _HALF


def _rows_a_scope(file: Filed) -> float:
    return file.accepted_count / max(file.scope_count, 1)
