"""The plan's forecasts against what came in the target year, in synthetic cities and in drawn ones.

python -m benchmarks.plan_forecast --seeds 11-30

Three kinds of districts: those of the synthetic city, which go straight from base to end; `walk`, whose steps
are drawn anew each year around a mean that all share; and `saturating`, which slow down on their way. Printed
by kind, level and lead: share of target years inside the 80 % interval, mean error beside that of "as today",
and the Brier score of the chance to meet the target beside that of the share that met it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from jobs import declare
from jobs.decide.evaluation.indicators import evaluate
from synthetic.city.figures import districts
from synthetic.city.indicators import indicator_values

YEARS = range(2020, 2026)
DRAWN = "inclusive_kindergarten_coverage"
LEVELS = ("district", "zone", "city")


@dataclass(frozen=True)
class Graded:
    """One forecast and what came."""

    kind: str
    level: str
    lead: int
    is_inside: bool
    error: float
    error_as_today: float
    width: float
    probability: float
    is_met: bool


def grade(kind: str, seed: int) -> Iterator[Graded]:
    """All forecasts of one city's target year, made in the years before it."""
    values = _city(seed) if kind == "city" else list(_drawn(kind, seed))
    zones = {row["code"]: row.get("zone_code") or "" for row in declare.code_list("district").rows}
    rows = evaluate(values, date(2026, 3, 31), zones)
    came = {(r["level"], r["unit_code"], r["indicator_code"]): r for r in rows if r["indicator_year"] == 2025}
    for row in rows:
        if row["forecast_value"] is None:
            continue
        end = came[row["level"], row["unit_code"], row["indicator_code"]]
        value = end["indicator_value"]
        yield Graded(
            kind,
            row["level"],
            2025 - row["indicator_year"],
            bool(row["forecast_low_value"] <= value <= row["forecast_high_value"]),
            float(abs(row["forecast_value"] - value)),
            float(abs(row["indicator_value"] - value)),
            float(row["forecast_high_value"] - row["forecast_low_value"]),
            float(row["target_probability"]),
            end["is_met"],
        )


def _city(seed: int) -> list[dict[str, Any]]:
    codes = [d.code for d in districts()]
    return [
        _row(codes[v.district], v.code, v.year, v.numerator, v.denominator, round(v.value, 2))
        for v in indicator_values(seed, YEARS)
    ]


def _drawn(kind: str, seed: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng([seed, 77])
    common = rng.normal(0, 0.15, len(YEARS))
    for district in districts():
        whole = int(rng.integers(300, 40_000))
        level, drift = rng.normal(-0.2, 0.4) + 1.8, rng.normal(0.12, 0.05)
        for n, year in enumerate(YEARS):
            if n:
                slower = 0.6 ** (n - 1) * 2 if kind == "saturating" else 1.0
                level += drift * slower + common[n] * 0.4 + rng.normal(0, 0.06)
            part = int(rng.binomial(whole, 1 / (1 + np.exp(-level))))
            yield _row(district.code, DRAWN, year, part, whole, round(100 * part / whole, 2))


def _row(
    district: str, code: str, year: int, numerator: int, denominator: int, value: float
) -> dict[str, Any]:
    return {
        "district_code": district,
        "indicator_code": code,
        "indicator_year": year,
        "numerator": Decimal(numerator),
        "denominator": Decimal(denominator),
        "indicator_value": Decimal(str(value)),
    }


def summary(graded: list[Graded]) -> dict[str, float]:
    """Coverage, errors, width and Brier scores of some forecasts."""
    met = float(np.mean([g.is_met for g in graded]))
    return {
        "forecasts": len(graded),
        "coverage": float(np.mean([g.is_inside for g in graded])),
        "error": float(np.mean([g.error for g in graded])),
        "error_as_today": float(np.mean([g.error_as_today for g in graded])),
        "width": float(np.mean([g.width for g in graded])),
        "brier": float(np.mean([(g.probability - g.is_met) ** 2 for g in graded])),
        "brier_of_share": met * (1 - met),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--seeds", default="11-30", help="first and last seed")
    first, last = map(int, asked.parse_args().seeds.split("-"))
    for kind in ("city", "walk", "saturating"):
        graded = [g for seed in range(first, last + 1) for g in grade(kind, seed)]
        for level in LEVELS:
            for lead in (1, 2, 3):
                own = [g for g in graded if (g.level, g.lead) == (level, lead)]
                figures = "  ".join(f"{name} {value:.3g}" for name, value in summary(own).items())
                print(f"{kind:10} {level:8} {lead}  {figures}")
        print(f"{kind:10} all         {summary(graded)}")


if __name__ == "__main__":
    main()
