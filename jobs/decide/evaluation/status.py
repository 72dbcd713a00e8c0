"""In one word, how a unit stands on its way to a target. The thresholds are dated data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from jobs.decide.evaluation.plan_targets import Target
from jobs.declare import standards


@dataclass(frozen=True)
class Rules:
    """Thresholds in force on a day (`evaluation/plan_status`)."""

    will_miss_below: float
    tolerances: dict[str, Decimal]  # by unit of the indicator

    @classmethod
    def on(cls, day: date) -> Rules:
        rows = standards.rows("evaluation/plan_status", day)
        below = [float(r["threshold"]) for r in rows if r["rule_code"] == "will_miss_below"]
        kept = {r["unit"]: Decimal(r["threshold"]) for r in rows if r["rule_code"] == "path_tolerance"}
        return cls(below[0] if below else 0.0, kept)

    def status(
        self,
        target: Target,
        year: int,
        value: Decimal | None,
        path: Decimal | None,
        probability: float | None,
    ) -> str:
        """A code of the list `plan_status`.

        From the target year on the value is judged: met or missed. Before it, a small chance comes first,
        then the target itself, then the path. What is to be held is met only while it has not fallen below
        its path.
        """
        if value is None:
            return "unknown"
        is_met = target.is_met(value)
        if year >= target.year:
            return "met" if is_met else "missed"
        if probability is not None and probability < self.will_miss_below:
            return "will_miss"
        behind = path is not None and value < path - self.tolerances.get(target.unit, Decimal(0))
        if is_met and not (target.is_hold and behind):
            return "met"
        if path is None:
            return "unknown"
        return "behind_path" if behind else "on_path"
