"""Fitness measures of pupils: body from the growth reference, items from the national score tables.

One latent fitness stays with a pupil for good; an item is that, noise, and the levels below. It is drawn as
*points* and turned into a measure by reading the score table of sex and grade backwards, so that a mean of
points is met by design; pull-ups, which pile up at 0–2, have a curve of their own. Body mass weighs on
running, jumping and pull-ups.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jobs.declare import standards
from synthetic.city.figures import DATA
from synthetic.city.ladder import J1, P1, S1, grades

Floats = NDArray[np.float64]


# Share of 优良 that the city publishes (reference: distributions.md): 62.4 is the plan's base, 77.5 is 2024's
# figure, "above 80 for the first time" 2025's; 2021 and 2022 lie between by assumption.
GOOD_SHARE = {2019: 0.595, 2020: 0.624, 2021: 0.665, 2022: 0.700, 2023: 0.737, 2024: 0.775, 2025: 0.803}

# Shares of 优良 by stage and sex in 2024 that the levels aim at; together they make 0.775.
STAGE_GOOD_SHARE = {("primary", 1): 0.80, ("primary", 2): 0.83, ("junior", 1): 0.66, ("junior", 2): 0.78}
STAGE_GOOD_SHARE |= {("senior", 1): 0.60, ("senior", 2): 0.74}

# Found by benchmarks/city_calibration/fit_fitness.py: points added to every item of a stage and sex so that
# the share of 优良 is met over the city; one more point is about 2.6 percentage points. The order of stages
# and sexes is that of the national sample of 2016 (primary above junior above senior, girls above boys).
_LEVEL = {("primary", 1): 7.4, ("primary", 2): 8.3, ("junior", 1): 12.8, ("junior", 2): 7.7}
_LEVEL |= {("senior", 1): 11.9, ("senior", 2): 6.4}
_YEAR_SHIFT = {2019: -5.7, 2020: -4.9, 2021: -3.7, 2022: -2.6, 2023: -1.4, 2024: 0.0, 2025: 1.2}


@dataclass(frozen=True)
class Item:
    """How an item is drawn: mean and spread of points, what fitness explains of it, what body mass takes."""

    code: str
    column: str
    grades: range  # positions on the ladder
    sex: int | None
    mean: float
    spread: float
    loading: float
    body: float  # points lost per standard deviation of body mass above the mean
    decimals: int
    floor: float
    ceiling: float


_ALL = range(P1, S1 + 3)
_PRIMARY, _SECONDARY = range(P1, J1), range(J1, S1 + 3)
ITEMS = (
    Item("vital_capacity", "肺活量", _ALL, None, 77, 14, 0.45, -1.0, 0, 500, 7500),
    Item("run_50m", "50米跑", _ALL, None, 81, 11, 0.60, 3.0, 1, 6.0, 15.0),
    Item("sit_and_reach", "坐位体前屈", _ALL, None, 80, 13, 0.40, 0.5, 1, -20.0, 35.0),
    Item("rope_skip_1min", "一分钟跳绳", _PRIMARY, None, 83, 16, 0.55, 2.0, 0, 0, 240),
    Item("sit_up_1min", "一分钟仰卧起坐", range(P1 + 2, J1), None, 80, 13, 0.50, 2.0, 0, 0, 80),
    Item("shuttle_run_50x8", "50米×8往返跑", range(P1 + 4, J1), None, 82, 12, 0.60, 4.0, 0, 70, 200),
    Item("standing_long_jump", "立定跳远", _SECONDARY, None, 78, 13, 0.55, 3.0, 0, 60, 320),
    Item("sit_up_1min", "一分钟仰卧起坐", _SECONDARY, 2, 79, 13, 0.50, 2.0, 0, 0, 80),
    Item("run_1000m", "1000米跑", _SECONDARY, 1, 79, 14, 0.65, 5.0, 0, 170, 480),
    Item("run_800m", "800米跑", _SECONDARY, 2, 80, 13, 0.65, 4.0, 0, 150, 420),
)
MEASURES = ("height", "weight", *dict.fromkeys(item.code for item in ITEMS), "pull_up")

# Pull-ups: floor(exp(level + grade + …)): the median of the first junior year is 1 or 2, and one in five
# does none.
_PULL_UP_LEVEL, _PULL_UP_PER_GRADE = 0.25, 0.20
_PULL_UP_SPREAD, _PULL_UP_LOADING, _PULL_UP_BODY = 0.95, 0.7, 0.45

# The reference is of 2005. Since then taller by some 2.5 cm and heavier, most in middle childhood (2005→2019
# surveys).
_TALLER_CM = 2.6
_HEAVIER = 1.05
_BUILD_SKEW = 0.17
_LAG = 8.0  # points for each standard deviation of fitness below −1


@cache
def steps() -> dict[tuple[str, int, int], tuple[Floats, Floats]]:
    """(item, sex, grade position) -> points ascending and the threshold of each."""
    position = {g.fitness_code: n for n, g in enumerate(grades()) if g.fitness_code}
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for row in standards.rows("fitness/2014/scoring"):
        for code in row["grade_codes"].split("|"):
            if row["threshold"] and code in position:
                key = (row["item_code"], int(row["sex_code"]), position[code])
                found.setdefault(key, []).append((float(row["points"]), float(row["threshold"])))
    return {
        key: (np.array([p for p, _ in sorted(steps)]), np.array([t for _, t in sorted(steps)]))
        for key, steps in found.items()
    }


@cache
def _growth() -> dict[int, dict[str, Floats]]:
    columns: dict[int, dict[str, list[float]]] = {1: {}, 2: {}}
    with (DATA / "growth_reference.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for name, value in row.items():
                columns[int(row["sex_code"])].setdefault(name, []).append(float(value))
    return {sex: {name: np.array(values) for name, values in of.items()} for sex, of in columns.items()}


@dataclass
class Bodies:
    """The pupils to be measured, one element each."""

    sex: NDArray[np.int64]  # 1 boys, 2 girls
    grade: NDArray[np.int64]
    age: Floats  # in years, on the day of the test
    fitness: Floats
    stature: Floats
    build: Floats
    lift: Floats  # points that school and class add

    def __len__(self) -> int:
        return len(self.sex)


def measure(bodies: Bodies, year: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Each pupil's measures in their units, rounded as they are read off; NaN where there is no such item."""
    height, weight, mass = _grow(bodies, rng)
    made = {code: np.full(len(bodies), np.nan) for code in MEASURES}
    made["height"], made["weight"] = height, weight
    # The least fit fall behind further than a normal curve would have it.
    level = bodies.lift + _level(bodies, year) - _LAG * np.maximum(-bodies.fitness - 1.0, 0)
    for item in ITEMS:
        fits = np.isin(bodies.grade, item.grades) & ((bodies.sex == item.sex) | (item.sex is None))
        noise = rng.standard_normal(len(bodies))
        latent = item.loading * bodies.fitness + np.sqrt(1 - item.loading**2) * noise
        points = item.mean + level + item.spread * latent - item.body * np.maximum(mass, -1.0)
        for sex in (1, 2):
            for grade in item.grades:
                rows = np.flatnonzero(fits & (bodies.sex == sex) & (bodies.grade == grade))
                if len(rows):
                    values = read_back(points[rows], *steps()[item.code, sex, grade])
                    made[item.code][rows] = _read_off(np.clip(values, item.floor, item.ceiling), item)
    boys = np.flatnonzero((bodies.grade >= J1) & (bodies.sex == 1))
    made["pull_up"][boys] = _pull_ups(bodies, mass, level, rng)[boys]
    return made


def _level(bodies: Bodies, year: int) -> Floats:
    stage = np.where(bodies.grade >= S1, "senior", np.where(bodies.grade >= J1, "junior", "primary"))
    level = np.zeros(len(bodies))
    for (name, sex), points in _LEVEL.items():
        level[(stage == name) & (bodies.sex == sex)] = points
    return level + _YEAR_SHIFT[year]


def _grow(bodies: Bodies, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Height in cm, weight in kg, and body mass for height in standard deviations."""
    height, weight = np.empty(len(bodies)), np.empty(len(bodies))
    mass: Floats = bodies.build * 0.97 + 0.24 * rng.standard_normal(len(bodies))
    for sex in (1, 2):
        rows = np.flatnonzero(bodies.sex == sex)
        table, age = _growth()[sex], bodies.age[rows]
        at = {name: np.interp(age, table["age"], values) for name, values in table.items()}
        tall = at["height_p50_cm"] + _TALLER_CM + at["height_sd_cm"] * bodies.stature[rows]
        middle = at["weight_p50_kg"] / (at["height_p50_cm"] / 100) ** 2 * _HEAVIER
        # The reference's spread of weight holds that of height too; what is left is body mass.
        whole = np.log(at["weight_p97_kg"] / at["weight_p3_kg"]) / 3.762
        own = np.sqrt(np.maximum(whole**2 - (2 * at["height_sd_cm"] / at["height_p50_cm"]) ** 2, 0.006))
        mass_index = middle * np.exp(own * mass[rows] + _BUILD_SKEW * own * (mass[rows] ** 2 - 1))
        height[rows] = tall
        weight[rows] = mass_index * (tall / 100) ** 2
    weight = np.clip(weight, 14.5, 180)
    return np.round(height, 1).astype(float), np.round(weight, 1).astype(float), mass


def read_back(points: Floats, earned: Floats, thresholds: Floats) -> Floats:
    """Points -> measure by the table; beyond its ends along its last steps."""
    values = np.interp(points, earned, thresholds)
    above = (thresholds[-1] - thresholds[-4]) / (earned[-1] - earned[-4])
    below = (thresholds[3] - thresholds[0]) / (earned[3] - earned[0])
    values += np.maximum(points - earned[-1], 0) * above
    return np.asarray(values + np.minimum(points - earned[0], 0) * below)


def _read_off(values: Floats, item: Item) -> Floats:
    """To the precision of the item; a sprint's second decimal is carried up, as the test rules say."""
    if item.code == "run_50m":
        return np.ceil(np.round(values * 100) / 10) / 10
    return np.round(values, item.decimals) + 0.0


def _pull_ups(bodies: Bodies, mass: Floats, level: Floats, rng: np.random.Generator) -> Floats:
    loading = _PULL_UP_LOADING
    latent = loading * bodies.fitness + np.sqrt(1 - loading**2) * rng.standard_normal(len(bodies))
    power = _PULL_UP_LEVEL + _PULL_UP_PER_GRADE * (bodies.grade - J1) + _PULL_UP_SPREAD * latent
    power += 0.03 * level - _PULL_UP_BODY * np.maximum(mass, -0.5)
    count = np.exp(power)
    # A dozen is where training begins to tell and chance no more.
    count = np.where(count > 12, 12 + (count - 12) * 0.4, count)
    return np.minimum(np.floor(count), 40)
