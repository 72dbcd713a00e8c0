"""Sign a scope of the reporting calendar off, lock it, unlock it, give an exception: what may follow what.

open → signed by the district → signed by the city → locked. An office's dataset of the whole city has no
district to sign it. Over data that is late, held, missing or refused in part nobody signs without a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from jobs import clock
from jobs.declare import reporting
from jobs.lake import deliveries, senders, sign_offs
from jobs.lake.sign_offs import CITY, DISTRICT, EXCEPT, LOCKED, OPEN, Act, Scope
from jobs.publish import release
from jobs.settings import Settings, UserError

MART = "fct_reporting_calendar"
# Act -> the state that it needs, and what to do first in another one.
_NEEDS = {
    "sign_district": ({OPEN}, "it is signed already; `calendar unlock` opens it again"),
    "sign_city": ({DISTRICT}, "the district signs first: `calendar sign --level district`"),
    "lock": ({CITY}, "the city signs first: `calendar sign --level city`"),
    "unlock": ({DISTRICT, CITY, LOCKED}, "it is open: nothing needs to be done"),
}


@dataclass(frozen=True)
class Done:
    """An act, and whether it is new: the same one twice is written down once."""

    act: Act
    is_new: bool


def scope_of(settings: Settings, dataset: str, period: str, unit: str) -> Scope:
    """The scope that a person means. Raises UserError with the nearest names for one that there is not."""
    known = senders.load(settings)
    due = [one for one in reporting.load(settings.jurisdictions) if one.dataset == dataset]
    if not due:
        listed = sorted({one.dataset for one in reporting.load(settings.jurisdictions)})
        raise UserError(
            f"the reporting calendar asks for no dataset {dataset!r}{_near(dataset, listed)}.",
            f"It asks for: {', '.join(listed) or 'nothing'}.",
        )
    newest = max((day for _, day in _days(settings)), default=clock.today(settings.timezone))
    periods = [one.period for one in reporting.periods(due, reporting.days_of(settings.calendar), newest)]
    if period not in periods:
        raise UserError(
            f"{dataset} has no period {period!r}{_near(period, periods)}.", f"Periods: {', '.join(periods)}."
        )
    of_city = all(one.senders == "city" for one in due)
    units = sorted(known.offices if of_city else known.districts)
    if unit not in units:
        raise UserError(
            f"{unit!r} signs nothing of {dataset}{_near(unit, units)}.", f"Units: {', '.join(units)}."
        )
    return Scope(dataset, period, unit)


def act(settings: Settings, scope: Scope, what: str, by: str, reason: str | None) -> Done:
    """Sign, lock or unlock. The same act on a scope in the state that it makes is no news.

    Raises UserError where another act comes first, and where a reason is needed and none is given.
    """
    acts = sign_offs.load(settings)
    last, state = sign_offs.newest(acts, scope), sign_offs.state(acts, scope)
    if last is not None and last.act == what:
        return Done(last, False)
    allowed, first = _NEEDS[what]
    if what == "sign_city" and scope.unit_code in senders.load(settings).offices:
        allowed = {OPEN}
    if state not in allowed:
        raise UserError(f"{scope} is {state}: it cannot be the object of `{what}` now.", f"{first}.")
    reason = (reason or "").strip() or None
    if reason is None and what == "unlock":
        raise UserError(f"{scope} is unlocked with a reason alone.", "Say it with --reason.")
    if reason is None and what != "unlock" and (found := problems(settings, scope)):
        raise UserError(
            f"not all of {scope} is in order: {'; '.join(found)}.",
            "Have it put right, or sign all the same and say why with --reason.",
        )
    return Done(sign_offs.add(settings, scope, what, by, reason, _days(settings)), True)


def give_exception(
    settings: Settings, scope: Scope, by: str, reason: str, until: date, sender: str | None
) -> Done:
    """Let a scope, or one sender of it, hand in until a day, though it is late or locked.

    Raises UserError without a reason, and for a day that is over.
    """
    if not reason.strip():
        raise UserError("an exception needs a reason.", "Say it with --reason.")
    days = _days(settings)
    newest = max((day for _, day in days), default=until)
    if until < newest:
        raise UserError(
            f"{until} is over: the newest delivery is of {newest}.", "Give a later day with --until."
        )
    given = [one for one in sign_offs.load(settings) if one.act == EXCEPT and one.scope == scope]
    same = [one for one in given if one.sender_code == sender][-1:]
    if same and (same[0].until_date, same[0].reason) == (until, reason.strip()):
        return Done(same[0], False)
    made = sign_offs.add(settings, scope, EXCEPT, by, reason.strip(), days, until=until, sender=sender)
    return Done(made, True)


def problems(settings: Settings, scope: Scope) -> list[str]:
    """What of a scope is missing, held, late or refused in part, in words, by the current release.

    Raises UserError before the first release.
    """
    found = []
    for row in rows(settings, dataset=scope.dataset, period=scope.period, unit=scope.unit_code):
        if row["reporting_state"] in ("missing", "held", "excused"):
            found.append(f"{row['sender_code']} {row['reporting_state_zh']}")
        elif row["days_late"]:
            found.append(f"{row['sender_code']} 逾期 {row['days_late']} 天")
        if row["refused_row_count"]:
            found.append(f"{row['sender_code']} 退回 {row['refused_row_count']} 行")
    return found


def rows(
    settings: Settings,
    *,
    dataset: str | None = None,
    period: str | None = None,
    unit: str | None = None,
    late: bool = False,
) -> list[dict[str, Any]]:
    """Rows of the current release's reporting calendar, by due day; the sign-off is that of this moment.

    Raises UserError before the first release.
    """
    current = release.current(settings)
    if current is None:
        raise UserError(f"{settings.site} has no release yet.", f"Run first: `{settings.command('run')}`.")
    asked = {"dataset": dataset, "period": period, "coalesce(district_code, sender_code)": unit}
    given = {name: told for name, told in asked.items() if told is not None}
    where = [f"{name} = ?" for name in given] + (["is_late_now"] if late else ["is_expected"])
    with release.open_release(current, "full") as db:
        found: pa.Table = db.execute(
            f"from {MART} where {' and '.join(where)} order by due_date, dataset, sender_code",
            list(given.values()),
        ).to_arrow_table()
    acts = sign_offs.load(settings)
    listed: list[dict[str, Any]] = found.to_pylist()
    for row in listed:
        scope = Scope(row["dataset"], row["period"], row["district_code"] or row["sender_code"])
        row["sign_off_state"] = sign_offs.state(acts, scope)
    return listed


def _days(settings: Settings) -> list[tuple[str, date]]:
    return [(file.delivery_id, file.received) for file in deliveries.scan(settings)]


def _near(word: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {found[0]}" if found else ""
