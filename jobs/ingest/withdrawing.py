"""Withdraw a delivery that was handed in by error, and list deliveries with what became of their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import admission, verdicts
from jobs.lake import deliveries, receipt_text, senders, withdrawals
from jobs.lake.withdrawals import Withdrawal
from jobs.settings import Settings, UserError

WAITING = "waiting"


@dataclass
class Delivery:
    """One delivery: how many of its files ended in which outcome (or wait), and whether it was withdrawn."""

    delivery_id: str
    sender: str
    received: date
    delivery_no: int
    withdrawal: Withdrawal | None
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal does: the fact itself, and the files that the next run judges anew because of it."""

    withdrawal: Withdrawal
    is_new: bool
    judged_anew: list[str]


def listed(settings: Settings, sender: str | None = None) -> list[Delivery]:
    """Every delivery that lies in landing or has a receipt, the newest first; of one sender if given."""
    gone = withdrawals.load(settings)
    found: dict[str, Delivery] = {}

    def of(delivery_id: str, sender_code: str, received: date, number: int) -> Delivery:
        own = Delivery(delivery_id, sender_code, received, number, gone.get(delivery_id))
        return found.setdefault(delivery_id, own)

    names = ["delivery_id", "sender_code", "received_date", "delivery_no", "outcome"]
    done = set()
    for row in receipt_text.receipts(settings, names):
        done.add(row["receipt_id"])
        one = of(row["delivery_id"], row["sender_code"], row["received_date"], row["delivery_no"])
        one.outcomes[row["outcome"]] += 1
    for file in deliveries.scan(settings):
        if file.receipt_id not in done:
            one = of(file.delivery_id, file.sender, file.received, file.delivery_no)
            one.outcomes[WAITING] += 1
    shown = [one for one in found.values() if sender is None or sender in (one.sender, _folder(one))]
    return sorted(shown, key=lambda one: (one.received, one.delivery_no, one.delivery_id), reverse=True)


def withdraw(
    settings: Settings, delivery: str, by: str, reason: str, *, passes_locks: bool = False
) -> Withdrawn:
    """Withdraw a delivery, once. Nothing counts any more that it states; the next run publishes without it.

    Killed in between, it was withdrawn or it was not. Raises UserError for a delivery that nobody knows (the
    nearest ones are named), without a reason, and for one whose period is locked, unless `passes_locks`.
    """
    known = {one.delivery_id: one.received for one in listed(settings)}
    delivery_id = withdrawals.named(delivery, known)
    is_new = delivery_id not in withdrawals.load(settings)
    if is_new and not passes_locks:
        _check_locks(settings, delivery_id, max(known.values()))
    withdrawal = withdrawals.add(settings, delivery_id, by, reason, known.items())
    return Withdrawn(withdrawal, is_new, _judged_anew(settings, delivery_id))


def _check_locks(settings: Settings, delivery_id: str, day: date) -> None:
    """Raises UserError where a file of the delivery is of a period that is locked on this day."""
    locks = admission.locks(settings, senders.load(settings))
    names = ["receipt_id", "delivery_id", "dataset", "sender_code", "received_date", "outcome", "file_name"]
    for row in receipt_text.receipts(settings, names) if locks else ():
        if locks is None or row["delivery_id"] != delivery_id or row["outcome"] != verdicts.ACCEPTED:
            continue
        sender = row["sender_code"]
        told = row["dataset"], sender, row["received_date"], row["file_name"] or "", day.isoformat()
        if reason := locks.of(*told):
            raise UserError(
                reasons.sentence(reason, settings.language),
                f"`{settings.command('calendar', 'except', '--help')}` says how an exception is given.",
            )


def _judged_anew(settings: Settings, delivery_id: str) -> list[str]:
    """`receipt delivery/name` of the files of this feed whose verdict is another one now."""
    gone = withdrawals.load(settings)
    rows = receipt_text.receipts(settings, verdicts.COLUMNS)
    own = {row["receipt_id"]: row for row in rows if row["feed"] == delivery_id.partition("/")[0]}
    known = [verdicts.filed(row, is_withdrawn=row["delivery_id"] in gone) for row in own.values()]
    return [_told(own[file.receipt_id]) for file in verdicts.changed(known, declare.load())]


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['receipt_id']} {row['delivery_id']}/{row['file_name'] or ''}: {row['outcome']}"


def _folder(one: Delivery) -> str:
    # A code that has been replaced since is still the name of the folder.
    return one.delivery_id.split("/")[1]
