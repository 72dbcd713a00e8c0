"""Deliveries that were handed in by error and taken back (`ops__withdrawal`): the one reader and writer.

Nothing is deleted. A withdrawal is a fact with its day, and from that day on what the delivery states counts
no more: as known before, it still does. Verdicts are of today alone: a withdrawn file is never compared with
others, so the same bytes may be sent again.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from jobs import clock
from jobs.lake import spare, tables
from jobs.settings import Settings, UserError

TABLE = "ops__withdrawal"
_NAMED = 5


@dataclass(frozen=True)
class Withdrawal:
    """That a delivery counts no more from `recorded_at` on; who said so, and why."""

    delivery_id: str
    withdrawn_on: date
    recorded_at: datetime
    withdrawn_by: str
    reason: str


def load(settings: Settings) -> dict[str, Withdrawal]:
    """Delivery -> its withdrawal, the earliest where several are written down."""
    found: dict[str, Withdrawal] = {}
    for row in sorted(tables.rows(settings, TABLE), key=lambda r: (r["recorded_at"], r["noted_at"])):
        known = {name: row[name] for name in Withdrawal.__dataclass_fields__}
        found.setdefault(row["delivery_id"], Withdrawal(**known))
    return found


def version(settings: Settings) -> int | None:
    """The version of the table; None where nothing was ever withdrawn."""
    found = tables.open_table(settings, TABLE)
    return None if found is None else found.version()


def newest_standing(days: Iterable[tuple[str, date]], withdrawn: Iterable[str]) -> date | None:
    """The newest day of (delivery, day) among those that stand; of all where none does; None for nothing.

    A delivery with a wrong day would else carry the whole lake there.
    """
    listed, gone = list(days), {*withdrawn}
    standing = [day for delivery, day in listed if delivery not in gone]
    return max(standing or [day for _, day in listed], default=None)


def named(delivery: str, known: Iterable[str]) -> str:
    """The delivery that a person means. Raises UserError with the nearest ones for one that nobody knows."""
    listed = sorted({*known})
    wanted = delivery.strip().removeprefix("landing/").strip("/")
    if wanted in listed:
        return wanted
    inside = [one for one in listed if wanted.startswith(f"{one}/")]
    if inside:
        return inside[0]
    alike = [one for one in listed if one.endswith(f"/{wanted}")]
    near = [*alike, *difflib.get_close_matches(wanted, listed, _NAMED, cutoff=0.6)]
    told = f"Near it: {', '.join(dict.fromkeys(near[:_NAMED]))}. " if near else ""
    raise UserError(
        f"there is no delivery {delivery!r}.",
        f"{told}`./edulake delivery list` lists them: <feed>/<sender>/<day>_<number>.",
    )


def add(
    settings: Settings, delivery_id: str, by: str, reason: str, days: Iterable[tuple[str, date]]
) -> Withdrawal:
    """Withdraw a delivery; one that is withdrawn already stays as it is. Returns the withdrawal.

    `days`: (delivery, day received) of all that has landed. The newest of them that stands is the day on
    which the withdrawal is known, as all days of the lake come from deliveries. Raises UserError without a
    reason.
    """
    if not reason.strip():
        raise UserError("a withdrawal needs a reason.", "Say it with --reason; its sender reads it.")
    known = load(settings)
    if delivery_id in known:
        return known[delivery_id]
    newest = newest_standing(days, {*known, delivery_id})
    assert newest is not None, "the delivery itself is listed"
    # Where the newest day was a slip, what was withdrawn on it is known on the day that is newest now.
    again = [one for one in known.values() if one.withdrawn_on > newest]
    made = [_row(settings, delivery_id, newest, by, reason.strip())]
    made += [_row(settings, one.delivery_id, newest, one.withdrawn_by, one.reason) for one in again]
    stands = version(settings)
    tables.append_rows(settings, TABLE, made, f"{delivery_id}/{-1 if stands is None else stands}", "withdraw")
    spare.keep(settings, [TABLE])
    return load(settings)[delivery_id]


def _row(settings: Settings, delivery_id: str, day: date, by: str, reason: str) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "withdrawn_on": day,
        "recorded_at": clock.start_of_day(day, settings.timezone),
        "withdrawn_by": by,
        "reason": reason,
        "noted_at": datetime.now(UTC),
    }
