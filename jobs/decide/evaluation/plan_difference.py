"""Why a district's reported indicator is not what the lake counts: the difference by cause.

Each cause is a recount that the lake can make: with the registers of the year before (`date`), of another
scope (`scope`: without private schools, without kindergartens, one stage, all stages), with the schools that
stated nothing (`missing`), with unmapped codes as yes or as no (`codes`). A cause is named where its recount
meets the reported numerator and denominator, alone or together with one other; fewer causes are tried first.
A report without counts is met by one cause alone and in its printed digits. What no recount meets stays
unexplained: a cause is never named because it makes the difference merely smaller.

The parts are the steps from the counted value to the reported one, in the order of `CAUSES`, each rounded to
four digits; what remains is unexplained, so that they add to the difference exactly. In a zone and the city
each step is a quotient of the districts' sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.evaluation.plan_counts import KINDERGARTEN

TABLE = "decision_evaluation__plan_difference"
CAUSES = ("date", "scope", "missing", "codes")
# Counts differ by less: they are the same. What is expected of a missing school is met within a share.
_SAME, _NEAR_MISSING = 0.5, 0.15
_PRINTED = 0.006


@dataclass(frozen=True)
class Counts:
    """Numerator and denominator."""

    yes: float
    known: float

    @property
    def value(self) -> float | None:
        return 100 * self.yes / self.known if self.known else None

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.yes + other.yes, self.known + other.known)


# One recount: cause -> how (`last_year`, `without_private`, `included`, `as_yes` …).
Recount = Mapping[str, str]


@dataclass(frozen=True)
class Rows:
    """The counted rows of one district and indicator in one year, as columns."""

    kinds: NDArray[np.object_]
    owners: NDArray[np.object_]
    stages: NDArray[np.object_]
    in_scope: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    yes: NDArray[np.float64]
    known: NDArray[np.float64]
    unknown: NDArray[np.float64]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Rows:
        return cls(
            *(frame[c].to_numpy(object) for c in ("school_type_code", "ownership_code", "stage_code")),
            *(frame[c].to_numpy(bool) for c in ("is_in_scope", "is_missing")),
            *(frame[c].to_numpy(float) for c in ("yes_count", "known_count", "unknown_count")),
        )

    def scopes(self) -> dict[str, NDArray[np.bool_]]:
        """Other scopes that a report may have, by name, where they count other rows."""
        own = self.in_scope
        found = {
            "without_private": own & (self.owners != "private"),
            "without_kindergartens": own & (self.kinds != KINDERGARTEN),
            "primary_only": own & (self.stages == "primary"),
            "junior_only": own & (self.stages == "junior"),
            "all_stages": np.ones_like(own),
        }
        return {name: rows for name, rows in found.items() if rows.any() and (rows != own).any()}

    def counts(self, recount: Recount) -> Counts:
        rows = self.scopes().get(recount["scope"], self.in_scope) if "scope" in recount else self.in_scope
        if "missing" not in recount:
            rows = rows & ~self.missing
        unknown = float(self.unknown[rows].sum())
        as_yes = unknown if recount.get("codes") == "as_yes" else 0.0
        return Counts(
            float(self.yes[rows].sum()) + as_yes,
            float(self.known[rows].sum()) + (unknown if "codes" in recount else 0.0),
        )


@dataclass(frozen=True)
class Explained:
    """A district's steps from the counted figure to the reported one: before any cause, then after each."""

    recount: Recount
    steps: tuple[Counts, ...]
    missing_schools: int
    unknown: float


def explain(
    rows: Rows, before: Rows | None, reported: Counts | None, value: float | None
) -> Explained | None:
    """The causes of one district's difference. `before`: its rows of the year before. None where nothing is
    counted.
    """
    base = rows.counts({})
    if not base.known:
        return None
    found = _recount(rows, before, reported, value) if not _meets(base, {}, base, reported, value) else {}
    steps = [base]
    for n in range(1, len(CAUSES) + 1):
        part = {cause: found[cause] for cause in CAUSES[:n] if cause in found}
        steps.append(_counts(rows, before, part))
    missing = int((rows.missing & rows.in_scope).sum())
    return Explained(found, tuple(steps), missing, float(rows.unknown[rows.in_scope].sum()))


def _counts(rows: Rows, before: Rows | None, recount: Recount) -> Counts:
    return (before if "date" in recount and before is not None else rows).counts(recount)


def _recount(rows: Rows, before: Rows | None, reported: Counts | None, value: float | None) -> Recount:
    """The recount with the fewest causes that meets the report; {} where none does."""
    base = rows.counts({})
    single: list[tuple[str, str]] = [("date", "last_year")] if before is not None else []
    single += [("scope", name) for name in rows.scopes()]
    if (rows.missing & rows.in_scope).any():
        single.append(("missing", "included"))
    if rows.unknown[rows.in_scope].any():
        single += [("codes", "as_yes"), ("codes", "as_no")]
    pairs = [pair for pair in combinations(single, 2) if pair[0][0] != pair[1][0]]
    for tried in ([(one,) for one in single], pairs if reported else []):
        recounts = [dict(causes) for causes in tried]
        apart = [(r, _counts(rows, before, r)) for r in recounts]
        met = [(_distance(c, reported), r) for r, c in apart if _meets(c, r, base, reported, value)]
        if met:
            return min(met, key=lambda found: found[0])[1]
    return {}


def _meets(
    counts: Counts, recount: Recount, base: Counts, reported: Counts | None, value: float | None
) -> bool:
    if reported is None:
        return counts.value is not None and value is not None and abs(counts.value - value) < _PRINTED
    near = _NEAR_MISSING * _distance(base, reported) if "missing" in recount else 0.0
    return _distance(counts, reported) <= max(_SAME, near)


def _distance(counts: Counts, reported: Counts | None) -> float:
    if reported is None:
        return 0.0
    return abs(counts.yes - reported.yes) + abs(counts.known - reported.known)


def differences(
    counted: pd.DataFrame, judged: Sequence[Mapping[str, Any]], zones: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of `decision_evaluation__plan_difference` without run: one a level, unit, indicator and year that
    is both reported and counted from its schools.

    `counted`: rows of `plan_counts`; `judged`: rows of `indicators.evaluate`.
    """
    groups = {
        key: Rows.of(frame)
        for key, frame in counted.groupby(["indicator_code", "district_code", "count_year"])
    }
    explained: dict[tuple[str, str, int], Explained] = {}
    for row in judged:
        key = (row["indicator_code"], row["unit_code"], row["indicator_year"])
        if row["level"] != "district" or key not in groups:
            continue
        before = groups.get((*key[:2], key[2] - 1))
        if found := explain(groups[key], before, _reported(row), _float(row["indicator_value"])):
            explained[key] = found
    years = {(indicator, year) for indicator, _, year in groups}
    rows = []
    for row in judged:
        if (row["indicator_code"], row["indicator_year"]) in years and row["indicator_value"] is not None:
            members = _members(row, judged, zones)
            rows.append(_row(row, members, explained))
    return rows


def _members(
    row: Mapping[str, Any], judged: Iterable[Mapping[str, Any]], zones: Mapping[str, str]
) -> list[str]:
    """The districts that a row's value is made of."""
    if row["level"] == "district":
        return [row["unit_code"]]
    about = (row["indicator_code"], row["indicator_year"])
    return [
        other["unit_code"]
        for other in judged
        if other["level"] == "district"
        and (other["indicator_code"], other["indicator_year"]) == about
        and (row["level"] == "city" or zones.get(other["unit_code"]) == row["unit_code"])
    ]


def _row(
    row: Mapping[str, Any], members: list[str], explained: Mapping[tuple[str, str, int], Explained]
) -> dict[str, Any]:
    about = row["indicator_code"], row["indicator_year"]
    found = [explained.get((about[0], member, about[1])) for member in members]
    told = [f for f in found if f is not None]
    made = {name: row[name] for name in ("level", "unit_code", "indicator_code", "indicator_year")}
    made |= {
        "reported_indicator_value": row["indicator_value"],
        "counted_indicator_value": None,
        "value_difference": None,
    }
    made |= {f"by_{cause}": None for cause in CAUSES} | {"unexplained": None}
    made |= {
        "causes": None,
        "missing_school_count": sum(f.missing_schools for f in told),
        "unknown_count": round(sum(f.unknown for f in told)),
        "missing_reason": None if len(told) == len(found) else "not_counted",
    }
    if made["missing_reason"]:
        return made
    values = [_value(sum((f.steps[n] for f in told), Counts(0, 0))) for n in range(len(CAUSES) + 1)]
    made["counted_indicator_value"] = values[0]
    made["value_difference"] = row["indicator_value"] - values[0]
    parts = [after - before for before, after in pairwise(values)]
    made |= {f"by_{cause}": part for cause, part in zip(CAUSES, parts, strict=True)}
    made["unexplained"] = made["value_difference"] - sum(parts, Decimal(0))
    names = {f"{cause}:{how}" for f in told for cause, how in f.recount.items()}
    made["causes"] = " ".join(sorted(names)) or None
    return made


def _value(counts: Counts) -> Decimal:
    return Decimal(str(round(counts.value or 0.0, 4))).quantize(Decimal("0.0001"))


def _reported(row: Mapping[str, Any]) -> Counts | None:
    if row["numerator"] is None or row["denominator"] is None:
        return None
    return Counts(float(row["numerator"]), float(row["denominator"]))


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
