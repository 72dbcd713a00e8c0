"""At the door: a file whose sender nobody knows, who may not send it, or whose period is locked, is refused.

No line of it is kept, and its receipt says why and what to do. A refusal is not for ever: each run looks at
such files again, and takes those whose sender has become known since (a register names the school), and those
of a period for which an exception was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jobs import clock, declare
from jobs.declare import reasons, reporting
from jobs.declare.reporting import Period
from jobs.ingest import journal, reopening
from jobs.ingest.journal import FileNote
from jobs.ingest.verdicts import REFUSED
from jobs.lake import senders, sign_offs, tables
from jobs.lake.senders import Senders
from jobs.lake.sign_offs import Act, Scope
from jobs.reading import recognize
from jobs.settings import Settings

# The reasons of files that were refused at the door.
OF_SENDER = frozenset({"sender_unknown", "school_not_registered", "sender_not_for_dataset", "period_locked"})


def refuse_strangers(known: Senders, notes: Sequence[FileNote]) -> None:
    """Refuse the files whose sender nobody knows, before they are read."""
    for note in notes:
        if reason := of_sender(known, note.sender):
            note.outcome, note.reasons = REFUSED, [reason]


def of_sender(known: Senders, sender: str) -> str | None:
    """Why nobody of this code may send anything here, as a reason; None where he may."""
    if known.is_free or known.kind(sender) is not None:
        return None
    if known.is_code_of_school(sender):
        return reasons.text("school_not_registered", sender=sender)
    return reasons.text("sender_unknown", sender=sender)


def of_dataset(known: Senders, sender: str, dataset: str) -> str | None:
    """Why this sender may not send the dataset, as a reason; None where he may."""
    allowed = senders.may_send(declare.load()[dataset])
    if known.is_free or known.kind(sender) in allowed:
        return None
    return reasons.text("sender_not_for_dataset", dataset=dataset, sender=sender, senders=list(allowed))


@dataclass(frozen=True)
class Locks:
    """What was signed and locked, and the periods of the reporting calendar by which files are told apart."""

    acts: Sequence[Act]
    periods: Sequence[Period]
    known: Senders

    def refusal(self, note: FileNote, dataset: str) -> str | None:
        """Why the file comes too late, as a reason; None where no part of it is locked."""
        received, name = date.fromisoformat(note.received), Path(note.path).name
        return self.of(dataset, note.sender, received, name, note.received)

    def of(self, dataset: str, sender: str, received: date, name: str, day: str) -> str | None:
        """The same of a file that was received on one day, asked about another one."""
        found = (self.kept_out(one, sender, day) for one in self.scopes(dataset, sender, received, name))
        return next((reason for reason in found if reason), None)

    def kept_out(self, scope: Scope, sender: str, received: str) -> str | None:
        """Why a sender may hand nothing in for a scope, as a reason; None where he may."""
        lock = sign_offs.lock_of(self.acts, scope, sender, date.fromisoformat(received))
        if lock is None:
            return None
        return reasons.text(
            "period_locked",
            dataset=scope.dataset,
            period=scope.period,
            unit=scope.unit_code,
            day=lock.stated_on.isoformat(),
            received=received,
        )

    def scopes(self, dataset: str, sender: str, received: date, name: str = "") -> list[Scope]:
        """The scopes that a file may be of: by the period in its name, else by the one that opened last.

        A school's file is of its district, the bureau's of every district that signed.
        """
        kind = self.known.kind(sender)
        own = [one for one in self.periods if one.dataset == dataset and one.senders == kind]
        own = own or [one for one in self.periods if one.dataset == dataset]
        opened = [one for one in own if one.opens <= received]
        if not opened:
            return []
        label = max(opened, key=lambda one: one.opens).period
        named, contract = recognize.period_in_name(name), declare.load()[dataset]
        if named and contract.period:
            year, term = named
            told = f"{year}-{year + 1}" + (f"-{term}" if contract.period == "term" else "")
            label = told if any(one.period == told for one in own) else label
        units = {sender}
        if kind == "school":
            units = {*(self.known.schools or {}).get(sender, ())}
        elif kind == "city":
            units |= {act.unit_code for act in self.acts}
        return [Scope(dataset, label, unit) for unit in sorted(units)]


def locks(settings: Settings, known: Senders) -> Locks | None:
    """The locks of a site; None while nothing was ever signed."""
    acts = sign_offs.load(settings)
    if not acts:
        return None
    due, days = reporting.load(settings.jurisdictions), reporting.days_of(settings.calendar)
    return Locks(acts, reporting.periods(due, days, clock.today(settings.timezone)), known)


def look_again(settings: Settings, feed: str) -> None:
    """Take again the feed's refused files whose sender has become known, before a run plans its batches."""
    with journal.feed_lock(settings, feed):
        reopen_admitted(settings, feed)


def reopen_admitted(settings: Settings, feed: str) -> bool:
    """Take again the feed's files that were refused for their sender, who may send them now. Returns True if
    there was one. The caller holds the feed's lock.
    """
    refused = [
        (row, reasons.details(row["reasons"][0]))
        for row in tables.rows(settings, "ops__receipt", _COLUMNS)
        if row["feed"] == feed and row["outcome"] == REFUSED and row["reasons"]
    ]
    refused = [(row, told) for row, told in refused if told["code"] in OF_SENDER]
    if not refused:
        return False
    known = senders.load(settings)
    signed = locks(settings, known)
    found = [row for row, told in refused if _is_admitted(known, signed, row["sender_code"], told)]
    for row in found:
        reopening.reopen(settings, feed, [row], f"{row['batch_id']} admitted")
    return bool(found)


_COLUMNS = [
    "receipt_id",
    "feed",
    "sender_code",
    "outcome",
    "reasons",
    "delivery_id",
    "file_sha256",
    "batch_id",
]


def _is_admitted(known: Senders, signed: Locks | None, sender: str, told: Mapping[str, Any]) -> bool:
    if of_sender(known, sender):
        return False
    if "dataset" in told and of_dataset(known, sender, told["dataset"]):
        return False
    if "period" not in told or signed is None:
        return True
    scope = Scope(told["dataset"], told["period"], told["unit"])
    return signed.kept_out(scope, sender, told["received"]) is None
