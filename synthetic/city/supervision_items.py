"""What districts state of the rules of the supervision standards that nobody can count; and the truth.

All districts state that they meet them, but for the one rule by which their profile fails (`balance`).
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np

from synthetic.city.balance import PRESCHOOL, QUALITY, Access, access, profiles, pupils_of
from synthetic.city.figures import districts
from synthetic.city.forms import fill, office, send
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.premises import inclusive

TRUTH = (
    *("district_code", "standard", "profile", "verdict"),
    *("first_failed_gate", "first_failed_rule", "first_failed_state"),
)
_RECOGNIZED = 2015  # when the districts were recognized as basically balanced
# Rule, least and most that a district reports: the threshold and some room.
_VALUES = (
    *(("G6", 100, 100), ("G7", 9000, 14000), ("G8", 1.01, 1.15), ("G13a", 100, 100), ("G13b", 96, 100)),
    *(("G14", 52, 70), ("G15", 90, 99), ("Q1", 96, 99.8), ("Q2", 96, 100), ("Q9b", 0.06, 0.14)),
    ("S1", 86, 96),
)
_ANSWERS = ("E5", "G1", "G2", "G10", "Q5", "Q6", "Q7", "Q8", "V1", "V2", "V3", "V4")
# What a profile changes of what is reported; None: nothing is said of it.
_REPORTED: dict[str, dict[str, float | bool | None]] = {
    "recognized_late": {"PRE_YEARS": 2},
    "grave_incident": {"E5": False},
    "not_kept": {"Q1": 94.9},
    "dissatisfied": {"S1": 84.9},
    "on_the_edge": {"S1": 85.0},
    "key_classes": {"V3": False},
    "silent": {"Q2": None},
    "few_quotas": {"G14": 49.9},
}


class _Item(NamedTuple):
    rule: str
    value: float | None = None
    is_met: bool | None = None
    stage: str | None = None
    school: str | None = None


def write_supervision_items(part: Part) -> None:
    """A file a district and year, received the March after; the newest year's are first figures."""
    code, year = districts()[part.number].code, part.year
    items = _items(part)
    is_newest = part.is_last
    day = date(year, 11, 12) if is_newest else date(year + 1, 3, 20)
    found = date(year, 10, 20) if is_newest else date(year + 1, 2, 25)
    columns: dict[str, list[Any]] = {
        "district_code": [code] * len(items),
        "supervision_year": [year] * len(items),
        "rule_code": [item.rule for item in items],
        "stage_code": [item.stage for item in items],
        "school_code": [item.school for item in items],
        "item_value": [None if item.value is None else f"{item.value:g}" for item in items],
        "is_item_met": [item.is_met for item in items],
        "evidence_source": [f"督导评估材料〔{year}〕{n}号" for n in range(1, len(items) + 1)],
        "assessed_date": [found] * len(items),
    }
    dress = office(part.seed, part.number, "supervision_item")
    filled = fill("supervision_item", columns, dress)
    send(part.landing, "supervision_item", code, day, f"督导评估条目_{year}", filled, dress)
    if part.is_last:
        part.truth.write("balance_district", TRUTH, _truth(part))


def _items(part: Part) -> list[_Item]:
    """All that a district states in a year, in the order of the standards."""
    rng = stream(part.seed, Stream.BALANCE, part.number, part.year)
    draws = rng.random(len(_VALUES))
    stated: dict[str, float | bool | None] = {"PRE_YEARS": part.year - _RECOGNIZED}
    for (rule, low, high), draw in zip(_VALUES, draws.tolist(), strict=True):
        stated[rule] = round(low + (high - low) * draw, 3 if high < 2 else 1)
    stated |= {"E3": stated["Q9b"], "Q9a": 3 + int(rng.random() < 0.4)}
    stated |= dict.fromkeys(_ANSWERS, True)
    stated |= _REPORTED.get(profiles(part.schools, part.newest.year)[part.number].name, {})
    own = _access(part)[part.number]
    stated |= {"K1": own.enrollment, "K4": own.satisfaction}
    items = [
        _Item(rule, is_met=value) if isinstance(value, bool) else _Item(rule, value)
        for rule, value in sorted(stated.items())
        if value is not None
    ]
    return items + _of_schools(part, rng)


def _of_schools(part: Part, rng: np.random.Generator) -> list[_Item]:
    """Charter (Q3) and training funds (Q4) of each compulsory school."""
    here = part.schools.of_district(part.number)
    taught = sum(pupils_of(part.schools, here, stage, part.year) for stage in ("primary", "junior"))
    items = []
    for school in here[np.asarray(taught) > 0].tolist():
        code = part.schools.codes[school]
        items.append(_Item("Q3", is_met=True, school=code))
        items.append(_Item("Q4", round(5.2 + 4 * rng.random(), 1), school=code))
    return items


def _access(part: Part) -> list[Access]:
    return access(part.schools, part.newest.year, lambda n: inclusive(part.schools, part.seed, n))


def _truth(part: Part) -> list[tuple[str, ...]]:
    code = districts()[part.number].code
    profile = profiles(part.schools, part.year)[part.number]
    failed = (profile.gate, profile.rule, profile.state)
    own = _access(part)[part.number].rule
    return [
        (code, QUALITY, profile.name, "pass" if profile.passes else "fail", *failed),
        (
            *(code, PRESCHOOL, "", "fail" if own else "pass"),
            *(("access", own, "not_met") if own else ("", "", "")),
        ),
    ]
