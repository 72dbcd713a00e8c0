"""What a sender owes and by when: the reporting calendar beside what has come, by runs and by the door."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from jobs import declare
from jobs.declare import reporting
from jobs.declare.reporting import Period
from jobs.ingest.verdicts import ACCEPTED, HELD, REPEATED
from jobs.lake import arrival, senders, sign_offs, tables
from jobs.lake.sign_offs import Scope
from jobs.settings import Settings
from portal.door import store as book
from portal.door.desk import Desk
from portal.door.store import HandIn

LATE, DUE, HANDED_IN, IN_DOUBT, DONE = "late", "due", "handed_in", "held", "accepted"
_ORDER = {LATE: 0, IN_DOUBT: 1, DUE: 2, HANDED_IN: 3, DONE: 4}
_ZH = {
    LATE: "已逾期",
    IN_DOUBT: "暂缓，须重报",
    DUE: "待报",
    HANDED_IN: "已交，待入湖",
    DONE: "已接收",
}


def owed(desk: Desk, codes: Sequence[str]) -> tuple[date, list[dict[str, Any]]]:
    """The day, and what these senders owe: late ones first, then the next due; what has come of the newest
    period at the end.
    """
    settings, known = desk.settings, desk.lake.senders()
    receipts = [row for row in desk.lake.receipts().values() if not row["withdrawal"]]
    made = [one for one in desk.store.listed(codes) if one.state == book.LANDED]
    days = [row["received_date"] for row in receipts] + [date.fromisoformat(one.received) for one in made]
    day, first = arrival.day_of_receipt(settings), min(days, default=None)
    periods = _by_kind(settings, day)
    schools = _schools(settings, {code for code in codes if known.kind(code) == "school"})
    came = _came(receipts, {*codes})
    waiting = _waiting(made, desk.lake.receipts())
    acts = sign_offs.load(settings)
    found = []
    for code in codes:
        for dataset, own in periods.get(known.kind(code) or "", {}).items():
            for at, period in enumerate(own):
                if first is None or period.due < first or not _is_asked(period, schools.get(code)):
                    continue
                closes = own[at + 1].opens if at + 1 < len(own) else date.max
                spell = (period.opens, closes)
                state = _state(period, day, spell, came[code, dataset], waiting[code, dataset])
                if state == DONE and at + 1 < len(own):
                    continue
                units = (known.schools or {}).get(code) or {code}
                scopes = [Scope(dataset, period.period, unit) for unit in units]
                locked = any(sign_offs.lock_of(acts, scope, code, day) for scope in scopes)
                found.append(_told(desk, code, period, state, day, is_locked=locked))
    found.sort(key=lambda one: (_ORDER[one["state"]], one["due_date"], one["dataset"], one["sender_code"]))
    return day, found


def _by_kind(settings: Settings, day: date) -> dict[str, dict[str, list[Period]]]:
    """Kind of sender -> dataset -> its periods that have opened, the oldest first."""
    found: dict[str, dict[str, list[Period]]] = defaultdict(lambda: defaultdict(list))
    listed = reporting.periods(
        reporting.load(settings.jurisdictions), reporting.days_of(settings.calendar), day
    )
    for one in sorted(listed, key=lambda period: period.opens):
        found[one.senders][one.dataset].append(one)
    return found


def _schools(settings: Settings, codes: set[str]) -> dict[str, Mapping[str, Any]]:
    """What the newest register says of each school: its type, and when it opened and closed."""
    if not codes:
        return {}
    names = ["school_code", "school_type_code", "opened_date", "closed_date", "recorded_at"]
    rows = [row for row in tables.rows(settings, senders.REGISTER, names) if row["school_code"] in codes]
    return {row["school_code"]: row for row in sorted(rows, key=lambda row: row["recorded_at"])}


def _is_asked(period: Period, school: Mapping[str, Any] | None) -> bool:
    if period.senders != "school":
        return True
    if school is None:
        return not period.types
    opened, closed = school["opened_date"], school["closed_date"]
    return (
        (not period.types or school["school_type_code"] in period.types)
        and (opened is None or opened <= period.opens)
        and (closed is None or closed > period.due)
    )


def _came(rows: Iterable[Mapping[str, Any]], codes: set[str]) -> dict[Any, list[tuple[date, str]]]:
    """(sender, dataset) -> the day and outcome of each file that came."""
    found: dict[Any, list[tuple[date, str]]] = defaultdict(list)
    of_bytes: dict[tuple[str, str], str] = {}
    own = [row for row in rows if row["sender_code"] in codes]
    for row in own:
        if row["dataset"]:
            of_bytes[row["sender_code"], row["file_sha256"]] = row["dataset"]
    for row in own:
        # The same bytes again hold what they held the first time.
        dataset = row["dataset"] or of_bytes.get((row["sender_code"], row["file_sha256"]))
        found[row["sender_code"], dataset].append((row["received_date"], row["outcome"]))
    return found


def _waiting(
    made: Iterable[HandIn], receipts: Mapping[str, Mapping[str, Any]]
) -> dict[Any, list[tuple[date, str]]]:
    """The same of what was handed in and no run has taken yet, by the first verdict."""
    found: dict[Any, list[tuple[date, str]]] = defaultdict(list)
    for one in made:
        for file in one.files:
            if file.receipt_id and file.receipt_id not in receipts:
                verdict = file.verdict or {}
                dataset = verdict.get("dataset") or file.dataset
                outcome = verdict.get("outcome", ACCEPTED)
                found[one.sender, dataset].append((date.fromisoformat(one.received), outcome))
    return found


def _state(
    period: Period,
    day: date,
    spell: tuple[date, date],
    came: Iterable[tuple[date, str]],
    waiting: Iterable[tuple[date, str]],
) -> str:
    opens, closes = spell
    outcomes = {outcome for received, outcome in came if opens <= received < closes}
    if outcomes & {ACCEPTED, REPEATED}:
        return DONE
    if any(opens <= received < closes and outcome == ACCEPTED for received, outcome in waiting):
        return HANDED_IN
    if HELD in outcomes:
        return IN_DOUBT
    return LATE if period.due < day else DUE


def _told(desk: Desk, code: str, period: Period, state: str, day: date, *, is_locked: bool) -> dict[str, Any]:
    contract = declare.load()[period.dataset]
    return {
        "sender_code": code,
        "sender_name": desk.lake.name(code),
        "dataset": period.dataset,
        "dataset_zh": contract.zh,
        "dataset_en": contract.en,
        "feed": contract.feed,
        "period": period.period,
        "opens_date": period.opens.isoformat(),
        "due_date": period.due.isoformat(),
        "days_left": (period.due - day).days,
        "state": state,
        "state_zh": _ZH[state],
        "is_locked": is_locked,
        "basis": period.basis,
    }
