"""Sign-off of what came (`ops__sign_off`): district, then city, then locked; the one reader and writer.

A scope is a dataset, a period of the reporting calendar, and a unit: the district, or the office that sends a
dataset of the whole city. Every act is one row, and no row is ever changed: what a scope's state was on a
day, and who gave which exception, can always be asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from jobs import clock
from jobs.lake import spare, tables, withdrawals
from jobs.settings import Settings, UserError

TABLE = "ops__sign_off"
OPEN, DISTRICT, CITY, LOCKED = "open", "district", "city", "locked"
EXCEPT = "except"
# What each act makes of a scope; an exception changes no state.
STATE_OF = {"sign_district": DISTRICT, "sign_city": CITY, "lock": LOCKED, "unlock": OPEN}


@dataclass(frozen=True)
class Scope:
    """What is signed at once."""

    dataset: str
    period: str
    unit_code: str

    def __str__(self) -> str:
        return f"{self.dataset} {self.period} {self.unit_code}"


@dataclass(frozen=True)
class Act:
    """One row: what was done on a scope, when, by whom and why. `sender_code`: of an exception for one."""

    dataset: str
    period: str
    unit_code: str
    sender_code: str | None
    act: str
    stated_on: date
    recorded_at: datetime
    until_date: date | None
    stated_by: str
    reason: str | None
    noted_at: datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.dataset, self.period, self.unit_code)


def load(settings: Settings) -> list[Act]:
    """Every act, the oldest first."""
    found = [Act(**row) for row in tables.rows(settings, TABLE, list(Act.__dataclass_fields__))]
    return sorted(found, key=lambda act: (act.recorded_at, act.noted_at))


def newest(acts: Iterable[Act], scope: Scope) -> Act | None:
    """The act that made the scope's state; None while it was never signed."""
    own = [act for act in acts if act.scope == scope and act.act in STATE_OF]
    return own[-1] if own else None


def state(acts: Iterable[Act], scope: Scope) -> str:
    """open, district, city or locked."""
    last = newest(acts, scope)
    return STATE_OF[last.act] if last else OPEN


def lock_of(acts: Iterable[Act], scope: Scope, sender: str, day: date) -> Act | None:
    """The lock that keeps out what a sender hands in on a day; None where none does.

    An exception in force on the day lets it through: the newest of the sender's own, else of the whole scope.
    """
    acts = list(acts)
    last = newest(acts, scope)
    if last is None or STATE_OF[last.act] != LOCKED:
        return None
    given = [act for act in acts if act.scope == scope and act.act == EXCEPT]
    for who in (sender, None):
        own = [act for act in given if act.sender_code == who]
        if own and own[-1].until_date and own[-1].until_date >= day:
            return None
    return last


def add(
    settings: Settings,
    scope: Scope,
    act: str,
    by: str,
    reason: str | None,
    days: Iterable[tuple[str, date]],
    *,
    until: date | None = None,
    sender: str | None = None,
) -> Act:
    """Write an act down, once. `days`: (delivery, day received) of all that has landed; the newest of them
    that stands is the day of the act, as all days of the lake come from deliveries.

    Raises UserError where nothing has landed.
    """
    newest_day = withdrawals.newest_standing(days, withdrawals.load(settings))
    if newest_day is None:
        raise UserError("nothing has been landed: there is nothing to sign.", "Hand files in first.")
    made = Act(
        *(scope.dataset, scope.period, scope.unit_code, sender, act, newest_day),
        recorded_at=clock.start_of_day(newest_day, settings.timezone),
        until_date=until,
        stated_by=by,
        reason=reason,
        noted_at=datetime.now(UTC),
    )
    stands = tables.open_table(settings, TABLE)
    transaction = f"{scope}/{-1 if stands is None else stands.version()}"
    tables.append_rows(settings, TABLE, [vars(made)], transaction, "sign_off")
    spare.keep(settings, [TABLE])
    return made
