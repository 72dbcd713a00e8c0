"""The verdict on each delivered file, as a function of the set of files: never of the order of processing.

A file is compared only with files *stamped* earlier (day received, number of that day, name). So a file that
comes to light late, with an earlier stamp, can change the verdict on later ones; `changed` names those, and
ingest takes them again. A verdict is an outcome and reasons; reasons are codes with details, so rewording a
sentence changes no verdict (`jobs.declare.reasons`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from jobs import clock
from jobs.declare import Contract, reasons

ACCEPTED, HELD, REFUSED, REPEATED = "accepted", "held", "refused", "repeated"
# Our own code failed on the file: no verdict on what its sender sent (`jobs.ingest.failures`).
FAILED = "failed"

# The remarks that lines were left aside, which of them are the template's examples, and that lines repeat the
# key of another one.
ASIDE, EXAMPLES, AGAIN = "lines_aside", "lines_example", "lines_again"
OF_LINES = (ASIDE, EXAMPLES, AGAIN)
# The remark that a total of a wide form is no sum: a question to its sender.
TOTAL = "total_differs"

# So few lines hold no file whatever their share, as long as most of the file stands: 5 % alone would send a
# class of 30 back for two slips. Three are what a person mends by hand while the rest counts; with five, half
# of a class of ten could be wrong, and a small school's roll lose five pupils without a word.
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
    # Of those left aside.
    example_count: int = 0
    again_count: int = 0
    outcome: str | None = None
    reasons: tuple[str, ...] = ()
    # Its delivery was handed in by error and taken back: no other file is compared with it.
    is_withdrawn: bool = False

    @property
    def stamp(self) -> tuple[str, int, str, str]:
        """By what files are ordered: day received, number of that day, name."""
        return self.received, self.delivery_no, self.file_name, self.receipt_id

    @property
    def delivery(self) -> tuple[str, str, str, int]:
        """The delivery that the file came with."""
        return self.feed, self.sender, self.received, self.delivery_no

    @property
    def named_period(self) -> tuple[int, int] | None:
        """School year and term that the file's name states."""
        from jobs.reading import recognize

        return recognize.period_in_name(self.file_name)

    @property
    def period(self) -> tuple[int, int]:
        """School year and term that the file is about: of its name, else of the day it was received."""
        return self.named_period or clock.term(date.fromisoformat(self.received))


@dataclass(frozen=True)
class Verdict:
    """What becomes of a file: one of the outcomes, and why (codes with details)."""

    outcome: str
    reasons: tuple[str, ...] = ()


def filed(receipt: Mapping[str, Any], *, is_withdrawn: bool = False) -> Filed:
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
        aside_count=counted(receipt["remarks"] or (), ASIDE, EXAMPLES),
        example_count=counted(receipt["remarks"] or (), EXAMPLES),
        again_count=counted(receipt["remarks"] or (), AGAIN),
        outcome=receipt["outcome"],
        reasons=tuple(receipt["reasons"] or ()),
        is_withdrawn=is_withdrawn,
    )


COLUMNS = [
    "receipt_id",
    "delivery_id",
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


def counted(remarks: Iterable[str], *codes: str) -> int:
    """Return how many lines a file's remarks say were left aside (no data), or repeat another one."""
    return sum(
        reasons.details(remark).get("lines", 0) for remark in remarks if reasons.code_of(remark) in codes
    )


def repeated(file: Filed, known: Iterable[Filed], contracts: Mapping[str, Contract]) -> Verdict | None:
    """Return the verdict on a file whose bytes its sender sent before, else None.

    Another name makes no other content, unless it states the other term of the school year: the roll of a
    small school may not have changed. A content that another accepted file has replaced since is news when
    it is stated again, and so is one that was withdrawn.
    """
    before = [
        f
        for f in known
        if (f.feed, f.sender) == (file.feed, file.sender) and f.stamp < file.stamp
        if not f.is_withdrawn and f.outcome not in UNREAD
    ]
    same = sorted((f for f in before if _is_same_content(file, f, contracts)), key=lambda f: f.stamp)
    if not same:
        return None
    latest = same[-1]
    is_replaced = latest.delivery != file.delivery and any(
        f.outcome == ACCEPTED
        and f.stamp > latest.stamp
        and f.sha256 != file.sha256
        and f.dataset == latest.dataset
        and (not _has_terms(f, contracts) or f.period == latest.period)
        for f in before
    )
    return None if is_replaced else Verdict(REPEATED, (reasons.text("repeated", receipt=same[0].receipt_id),))


def _is_same_content(file: Filed, earlier: Filed, contracts: Mapping[str, Contract]) -> bool:
    if file.sha256 != earlier.sha256:
        return False
    year, term = file.named_period or earlier.period
    is_other_term = year == earlier.period[0] and term != earlier.period[1]
    return not (is_other_term and _has_terms(earlier, contracts))


def _has_terms(file: Filed, contracts: Mapping[str, Contract]) -> bool:
    """Whether the file states something for one term; so it may be where its dataset is not known yet."""
    return file.dataset is None or contracts[file.dataset].period == "term"


def judge(files: Iterable[Filed], contracts: Mapping[str, Contract]) -> dict[str, Verdict]:
    """Return receipt id -> verdict of every file given; the same whatever their order.

    Files that could not be read keep their verdict. The bounds are the contract's: the share of refused
    lines, and accepted rows per scope against the sender's last accepted delivery of the dataset.
    """
    found: dict[str, Verdict] = {}
    # Of each sender, what was read so far, by content.
    read: dict[tuple[str, str], list[Filed]] = defaultdict(list)
    last: dict[tuple[str, str], Filed] = {}
    for file in sorted(files, key=lambda f: f.stamp):
        before = read[file.feed, file.sender]
        if file.outcome in (FAILED, REFUSED):
            verdict = Verdict(file.outcome, file.reasons)
        elif again := repeated(file, before, contracts):
            verdict = again
        elif file.outcome == REPEATED:
            verdict = Verdict(ACCEPTED, (reasons.text("not_read"),))
        elif file.dataset is None:
            verdict = Verdict(REFUSED, file.reasons)
        else:
            chain = file.dataset, file.sender
            verdict = _by_bounds(file, last.get(chain), contracts[file.dataset].rows)
            judged = replace(file, outcome=verdict.outcome)
            before.append(judged)
            if verdict.outcome == ACCEPTED and not file.is_withdrawn:
                last[chain] = judged
        found[file.receipt_id] = verdict
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
    # What stands already is not lost by its repetition; a file of which most repeats has a wrong key.
    if file.again_count <= _HALF * file.accepted_count:
        wrong -= file.again_count
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
        is_template = file.example_count and file.aside_count == file.line_count
        found.append(reasons.text("only_examples") if is_template else reasons.text("none_accepted"))
    return Verdict(HELD if found else ACCEPTED, tuple(found))


def _is_little(share: float, lines: float) -> bool:
    """Whether a share is one of few lines, and not of most of a file."""
    return lines <= FEW_LINES and share <= _HALF


def _rows_a_scope(file: Filed) -> float:
    return file.accepted_count / max(file.scope_count, 1)
