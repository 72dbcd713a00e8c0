"""Scenarios: levers on demand and supply of districts, and the cheapest mix that closes a gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from jobs.decide.places.gap import both_ways
from jobs.decide.places.rows import rows_of
from jobs.settings import UserError, command_line

KEY = ["district_code", "stage_code", "school_year_start"]
# What each lever is told: the unit of its amount, and the words it needs and may have.
LEVERS: dict[str, tuple[str, set[str], set[str]]] = {
    "births": ("percent", set(), {"district"}),
    "entry": ("percent", set(), {"district", "stage"}),
    "class_size": ("pupils a class", {"stage"}, {"district", "from"}),
    "premises": ("places", {"district", "stage", "from"}, set()),
    "shift": ("places", {"district", "stage", "from_stage", "from"}, set()),
    "catchment": ("pupils", {"district", "to", "stage", "from"}, set()),
    "delay": ("years", {"project"}, set()),
    "move": ("", {"project", "to"}, set()),
}
_EXAMPLES = (
    '"births -10%", "entry +5% stage=primary", "class_size 2 stage=junior", "delay 1 project=XM20270003",'
    ' "premises 400 district=110105 stage=primary from=2027",'
    ' "catchment 120 district=110105 to=110108 stage=primary from=2027"'
)


@dataclass(frozen=True)
class Lever:
    """One change; `amount` in the lever's unit (percent as a share)."""

    name: str
    amount: float
    words: Mapping[str, str] = field(default_factory=dict)

    def holds(self, row: Any) -> bool:
        """Whether a district, stage and year is meant."""
        return (
            self.words.get("district", row.district_code) == row.district_code
            and self.words.get("stage", row.stage_code) == row.stage_code
            and int(self.words.get("from", 0)) <= row.school_year_start
        )


def parse(text: str) -> Lever:
    """Read `name amount key=value …` as a lever. Raises UserError for other words."""
    words = text.split()
    name = words[0] if words else ""
    if name not in LEVERS:
        raise UserError(f"there is no lever {name!r}.", f"Known: {', '.join(LEVERS)}. Such as {_EXAMPLES}.")
    unit, needed, optional = LEVERS[name]
    pairs = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    numbers = [word for word in words[1:] if "=" not in word]
    is_twice = len(pairs) + len(numbers) < len(words) - 1
    if is_twice or set(pairs) - needed - optional or needed - set(pairs) or len(numbers) != (unit != ""):
        wanted = " ".join([f"<{unit}>"] * (unit != "") + [f"{key}=…" for key in sorted(needed)])
        raise UserError(f"{text!r} is no {name}.", f"It is written {name} {wanted}. Such as {_EXAMPLES}.")
    try:
        amount = float(numbers[0].rstrip("%")) if numbers else 0.0
        int(pairs.get("from", 0))
    except ValueError as error:
        raise UserError(f"{text!r} holds something that is no number.", f"Such as {_EXAMPLES}.") from error
    if unit == "percent":
        amount /= 100
    if unit == "years" and not amount.is_integer():
        raise UserError(f"{text!r} delays by part of a year.", "Give whole years.")
    if amount < -1 or not math.isfinite(amount) or (unit not in ("percent", "years") and amount < 0):
        raise UserError(f"{text!r} cannot be: {amount:g}.", "Give an amount that leaves something over.")
    return Lever(name, amount, pairs)


@dataclass(frozen=True)
class Base:
    """Districts as they are without levers.

    `rows`: KEY, `forecast`, `spread` (standard deviation of the pupils), `existing` places. `parts`: KEY,
    `is_birth_known`, `is_entrant_forecast`, `product` (the pupils that births explain). `projects`:
    `project_code`, `district_code`, `stage_code`, `place_count`, `chance` (year -> chance to be open).
    `classes`: (district, stage) -> classes.
    """

    rows: pd.DataFrame
    parts: pd.DataFrame
    projects: pd.DataFrame
    classes: Mapping[tuple[str, str], int]


def apply(base: Base, levers: Sequence[Lever], idle: float = 0.0) -> pd.DataFrame:
    """KEY, pupils, places, gap (places less pupils) and both chances, under all levers at once.

    Births act on cohorts whose births are not known yet, entry on those that have not entered yet; both by
    the parts of the forecast. Levers on a project, district, stage or year that the base lacks, or that move
    more places than stand, raise UserError.
    """
    _check_names(base, levers)
    rows = base.rows.sort_values(KEY).reset_index(drop=True)
    pupils = rows["forecast"].to_numpy(float) + _more_pupils(base, levers, rows)
    places = rows["existing"].to_numpy(float) + _more_places(base, levers, rows)
    coming, variance = _coming(base, levers, rows)
    if (places < 0).any():
        row = rows.iloc[int(np.argmin(places))]
        raise UserError(
            f"more places are moved than stand in {row.district_code}, {row.stage_code}.",
            "Move fewer of them.",
        )
    made = []
    for n, spread in enumerate(rows["spread"].to_numpy(float)):
        supply = float(places[n] + coming[n])
        grown = spread * pupils[n] / max(float(rows["forecast"].iloc[n]), 1.0)
        gap = both_ways(float(pupils[n]), supply, math.sqrt(grown**2 + variance[n]), idle)
        made.append(
            (pupils[n], supply, supply - pupils[n], gap.shortage_probability, gap.surplus_probability)
        )
    columns = ["pupils", "places", "gap", "shortage_probability", "surplus_probability"]
    return pd.concat([rows[KEY], pd.DataFrame(made, columns=columns)], axis=1)


def _check_names(base: Base, levers: Sequence[Lever]) -> None:
    """Refuse what would change nothing: a lever on a place that the base does not have."""
    district, stage, year = (sorted(base.rows[name].unique()) for name in KEY)
    known = {"district": district, "to": district, "stage": stage, "from_stage": stage}
    for lever in levers:
        for word, value in lever.words.items():
            if word in known and value not in known[word]:
                raise UserError(
                    f"{lever.name}: there is no {word} {value} here.", f"Known: {', '.join(known[word])}."
                )
        if int(lever.words.get("from", 0)) > year[-1]:
            raise UserError(
                f"{lever.name}: nothing is forecast from {lever.words['from']} on.",
                f"The last school year is {year[-1]}.",
            )


def _more_pupils(base: Base, levers: Sequence[Lever], rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    factor = np.ones(len(base.parts))
    for lever in levers:
        if lever.name in ("births", "entry"):
            held = np.array([lever.holds(row) for row in rows_of(base.parts)], dtype=bool)
            of = (
                ~base.parts["is_birth_known"] if lever.name == "births" else base.parts["is_entrant_forecast"]
            )
            factor *= np.where(held & of.to_numpy(bool), 1 + lever.amount, 1.0)
    changes = base.parts.assign(change=base.parts["product"].to_numpy(float) * (factor - 1))
    more = rows[KEY].merge(changes.groupby(KEY, as_index=False)["change"].sum(), on=KEY, how="left")
    found = more["change"].fillna(0).to_numpy(float)
    for lever in levers:
        if lever.name == "catchment":
            there = Lever(lever.name, lever.amount, {**lever.words, "district": lever.words["to"]})
            for n, row in enumerate(rows_of(rows)):
                found[n] += lever.amount * (int(there.holds(row)) - int(lever.holds(row)))
    return found


def _more_places(base: Base, levers: Sequence[Lever], rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    found = np.zeros(len(rows))
    for lever in levers:
        if lever.name not in ("class_size", "premises", "shift"):
            continue
        given = Lever(lever.name, lever.amount, {**lever.words, "stage": lever.words.get("from_stage", "")})
        for n, row in enumerate(rows_of(rows)):
            if lever.holds(row):
                classes = base.classes.get((row.district_code, row.stage_code), 0)
                found[n] += lever.amount * (classes if lever.name == "class_size" else 1)
            if lever.name == "shift" and given.holds(row):
                found[n] -= lever.amount
    return found


def _coming(
    base: Base, levers: Sequence[Lever], rows: pd.DataFrame
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places of projects by their chance, and the variance of that."""
    known = set(base.projects["project_code"]) if len(base.projects) else set()
    late: dict[str, int] = {}
    moved: dict[str, str] = {}
    for lever in levers:
        code = lever.words.get("project", "")
        if lever.name in ("delay", "move"):
            if code not in known:
                listing = command_line("sql", "from fct_capacity_project")
                raise UserError(f"no project {code} is to come.", f"See `{listing}`.")
            if lever.name == "delay":
                late[code] = late.get(code, 0) + int(lever.amount)
            else:
                moved[code] = lever.words["to"]
    at = {key: n for n, key in enumerate(rows[KEY].itertuples(index=False, name=None))}
    found, variance = np.zeros(len(rows)), np.zeros(len(rows))
    years = sorted(rows["school_year_start"].unique())
    for project in rows_of(base.projects):
        code = project.project_code
        for year in years:
            chance = float(project.chance.get(year - late.get(code, 0), 0.0))
            n = at.get((moved.get(code, project.district_code), project.stage_code, year))
            if n is not None:
                found[n] += project.place_count * chance
                variance[n] += project.place_count**2 * chance * (1 - chance)
    return found, variance


@dataclass(frozen=True)
class Mix:
    """The cheapest mix: places by lever, its cost, and how many places are still missing (0: closed)."""

    places: dict[str, int]
    cost_yuan: float
    lacking: int


def limits(result: pd.DataFrame, district: str, stage: str, year: int, norms: pd.DataFrame) -> dict[str, int]:
    """How many places each lever can give a district, stage and year: `most_share` of what it draws on.

    Class size and premises draw on existing places; moving between stages on idle places of the district's
    other stages; catchments on idle places of the stage in other districts; building on the shortage.
    """
    now = result[result["school_year_start"] == year]
    own = now[(now["district_code"] == district) & (now["stage_code"] == stage)]
    if own.empty:
        raise UserError(f"no places are known for {district}, {stage}, {year}.", "See fct_places_gap.")
    idle = now.assign(idle=now["gap"].clip(lower=0))
    of_stages = idle[(idle["district_code"] == district) & (idle["stage_code"] != stage)]["idle"].sum()
    elsewhere = idle[(idle["district_code"] != district) & (idle["stage_code"] == stage)]["idle"].sum()
    standing = float(own["places"].iloc[0])
    draws = {
        "class_size": standing,
        "premises": standing,
        "stage_move": of_stages,
        "catchment": elsewhere,
        "build": max(-float(own["gap"].iloc[0]), 0.0) * 2 + 40,
    }
    share = dict(zip(norms["lever"], norms["most_share"].astype(float), strict=True))
    return {name: int(draws[name] * share[name]) for name in share if name in draws}


def cheapest(shortage: int, most: Mapping[str, int], norms: pd.DataFrame) -> Mix:
    """The mix of levers that gives at least `shortage` places at the least cost, solved exactly.

    Each lever gives whole blocks, up to its limit. If all together are too few, all are used, and `lacking`
    says how many places are missing."""
    names = [str(name) for name in norms["lever"] if most.get(str(name), 0) > 0]
    costs = norms.set_index("lever").loc[names]
    block = costs["block_places"].to_numpy(float)
    cost = costs["cost_per_place_yuan"].to_numpy(float) * block
    most_blocks = np.floor(np.array([most[name] for name in names]) / block) if names else np.zeros(0)
    if shortage <= 0:
        return Mix({}, 0.0, 0)
    reach = int((most_blocks * block).sum()) if names else 0
    if reach < shortage:
        blocks = most_blocks
    else:
        solved = milp(
            cost,
            integrality=np.ones(len(names)),
            bounds=Bounds(np.zeros(len(names)), most_blocks),
            constraints=LinearConstraint(block[None, :], lb=float(shortage)),
            options={"mip_rel_gap": 0.0},
        )
        if solved.x is None:
            raise RuntimeError(f"the solver gave no mix: {solved.message}")
        blocks = np.rint(solved.x)
    places = {n: int(b * k) for n, b, k in zip(names, blocks, block, strict=True) if b > 0}
    return Mix(places, float((cost * blocks).sum()) if names else 0.0, max(shortage - reach, 0))
