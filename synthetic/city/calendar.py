"""School days of Beijing: built once from spans of terms, holidays, make-up days and closures, then read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from jobs.settings import ROOT
from synthetic.city.figures import DATA

CALENDAR_FILE = ROOT / "infra" / "sites" / "beijing" / "calendar.csv"
SPANS_FILE = DATA / "calendar_spans.csv"
FIRST_DAY, LAST_DAY = date(2019, 9, 1), date(2026, 8, 31)


@dataclass(frozen=True)
class Span:
    """Days of one kind: a term, days the school is closed or off, working days."""

    kind: str  # term | closed | off | work
    first: date
    last: date
    term: str
    reason: str

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def build() -> str:
    """The calendar file's text, one row per day. A holiday beats a make-up day, which beats a weekend."""
    with SPANS_FILE.open(encoding="utf-8", newline="") as lines:
        spans = [
            Span(
                r["kind"], date.fromisoformat(r["from"]), date.fromisoformat(r["to"]), r["term"], r["reason"]
            )
            for r in csv.DictReader(lines)
        ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["date", "is_school_day", "term", "reason"])
    day = FIRST_DAY
    while day <= LAST_DAY:
        writer.writerow([day.isoformat(), *_judge(day, [s for s in spans if s.holds(day)])])
        day += timedelta(days=1)
    return text.getvalue()


def _judge(day: date, here: list[Span]) -> tuple[int, str, str]:
    by_kind = {span.kind: span for span in here}
    term = by_kind["term"].term if "term" in by_kind else ""
    if "off" in by_kind:
        return 0, term, by_kind["off"].reason
    if not term:
        return 0, "", "vacation"
    make_up = "work" in by_kind
    if day.weekday() >= 5 and not make_up:
        return 0, term, "weekend"
    if "closed" in by_kind:
        return 0, term, by_kind["closed"].reason
    return 1, term, "make_up_day" if make_up else ""


@cache
def school_days() -> dict[date, int]:
    """School day -> term (1 or 2)."""
    with CALENDAR_FILE.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["is_school_day"] == "1"]
    return {date.fromisoformat(row["date"]): int(row["term"]) for row in rows}


def days_of_term(year: int, term: int, until: date | None = None) -> list[date]:
    """School days of one term of the school year that starts in `year`, in order, at most to `until`."""
    first, last = date(year, 9, 1), date(year + 1, 8, 31)
    days = [d for d, t in school_days().items() if first <= d <= last and t == term]
    return sorted(d for d in days if until is None or d <= until)
