"""Which plan's target a year of an indicator faces, and how far its way has come.

`evaluation/plan_indicators` holds one row for each plan and indicator, dated: a later plan's rows are added
and hold from their day; a row that is amended ends, and the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from jobs.declare import standards


@dataclass(frozen=True)
class Target:
    """One row of a plan's table. `base_value` is the city's as the plan prints it, or None."""

    plan_code: str
    indicator_code: str
    unit: str
    base_year: int
    base_value: Decimal | None
    year: int
    value: Decimal
    operator: str
    direction: str
    valid_from: date
    valid_to: date | None

    @property
    def is_share(self) -> bool:
        return self.unit == "%"

    @property
    def is_hold(self) -> bool:
        """What is to be held must not fall, not even to the target from above it."""
        return self.direction == "hold"

    def is_met(self, value: Decimal) -> bool:
        """A target printed without a sign is met when it is reached or passed."""
        return value > self.value if self.operator == "gt" else value >= self.value

    def path(self, year: int, start_year: int, start: Decimal) -> Decimal:
        """Where the straight way from a unit's start should be in a year: from the start to the target.

        A unit that starts at the target or beyond it has no way to go: it may come back to the target, but
        what is to be held stays where it was. After the target year the way is at its end.
        """
        end = max(start, self.value) if self.is_hold else self.value
        if start >= end or year >= self.year:
            return end
        return start + (end - start) * max(year - start_year, 0) / (self.year - start_year)


class Targets:
    """The targets that are known on a day: of the declared plans, or of other rows of their form."""

    def __init__(self, on: date, rows: Sequence[Mapping[str, str]] | None = None) -> None:
        self._of: dict[str, list[Target]] = {}
        for row in standards.rows("evaluation/plan_indicators") if rows is None else rows:
            target = _target(row)
            if target.valid_from <= on:
                self._of.setdefault(target.indicator_code, []).append(target)
        for found in self._of.values():
            found.sort(key=lambda t: t.valid_from)

    def codes(self) -> list[str]:
        """Indicators of any plan, in the file's order."""
        return list(self._of)

    def of(self, indicator: str, year: int) -> Target | None:
        """The target that a year faces: of the newest row that held on a day of it and has its base before.

        A plan's base year is still judged by the plan before it. The first plan's base year, and what lies
        before, are seen as the beginning of its way. None for an indicator that no plan has in that year.
        """
        rows = self._of.get(indicator, [])
        if not rows:
            return None
        if year <= rows[0].base_year:
            return rows[0]
        first, last = date(year, 1, 1), date(year, 12, 31)
        held = [
            t
            for t in rows
            if t.base_year < year and t.valid_from <= last and (t.valid_to is None or t.valid_to > first)
        ]
        return held[-1] if held else None


def _target(row: Mapping[str, str]) -> Target:
    return Target(
        row["plan_code"],
        row["indicator_code"],
        row["unit"],
        int(row["base_year"]),
        Decimal(row["base_value"]) if row["base_value"] else None,
        int(row["target_year"]),
        Decimal(row["target_value"]),
        row["target_operator"],
        row["direction"],
        date.fromisoformat(row["valid_from"]),
        date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
    )
