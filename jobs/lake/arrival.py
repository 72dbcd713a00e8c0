"""The day on which a file comes in now: today; in a made-up city, whose clock stands, its newest day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from jobs import clock
from jobs.lake import withdrawals
from jobs.lake.entries import day_and_number, entries_of
from jobs.settings import Settings


def day_of_receipt(settings: Settings) -> date:
    """The day that a delivery handed in now has. No file carries a made-up city of another year to ours."""
    newest = newest_landed(settings) if settings.is_synthetic else None
    return newest or clock.today(settings.timezone)


def newest_landed(settings: Settings) -> date | None:
    """The newest day of a delivery in landing that stands, of those until today; None where there is none."""
    return withdrawals.newest_standing(_days(settings), withdrawals.load(settings))


def _days(settings: Settings) -> Iterator[tuple[str, date]]:
    today = clock.today(settings.timezone)
    for feed in (entry for entry in entries_of(settings.landing) if entry.name in settings.feeds):
        for sender in (entry for entry in entries_of(feed) if entry.is_dir()):
            for delivery in entries_of(sender):
                stamp = day_and_number(delivery.name)
                if stamp and stamp[0] <= today:
                    yield f"{feed.name}/{sender.name}/{delivery.name}", stamp[0]
