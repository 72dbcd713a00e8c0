"""Made-up and damaged results among the true ones, class by class, and the truth about them.

No rates are published (reference: distributions.md, 5): the standard ones of `faults.KINDS` are assumptions,
one class in forty. Each kind comes in many strengths, down to a third of a class or two of its items. Written
to `truth/fabrications.csv`; a class that somebody copied from is not in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthetic.city.fitness import Floats, read_back, steps
from synthetic.city.ladder import J1, grades
from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.sittings import Sittings, first_sittings

KINDS = (
    "fabricated_heaped",
    "fabricated_copied_rows",
    "fabricated_copied_columns",
    "fabricated_last_year",
    "fabricated_not_on_roll",
    "fabricated_at_threshold",
    "fabricated_too_good",
    "damaged_weight_in_jin",
    "damaged_swapped_columns",
)
LEAST_PUPILS = 10
COLUMNS = ("school_year_start", "school_code", "class_code", "kind", "pupil_count")

_STEPS = {
    "height": (1,),
    "weight": (1,),
    "vital_capacity": (50, 100),
    "run_50m": (0.5,),
    "sit_and_reach": (1,),
    "rope_skip_1min": (5, 10),
    "sit_up_1min": (5,),
    "standing_long_jump": (5, 10),
    "shuttle_run_50x8": (5,),
    "run_1000m": (5, 10),
    "run_800m": (5, 10),
}
_DECIMALS = {"height": 1, "weight": 1, "run_50m": 1, "sit_and_reach": 1}
_BODY = ("height", "weight")
_SWAPPED = (("run_1000m", "run_800m"), ("pull_up", "sit_up_1min"))
Rows = NDArray[np.int64]


def fabricate(part: Part, first: Sittings) -> Sittings:
    """The sittings as the schools hand them in: some classes made up or damaged, at the rates in force."""
    roll = first.roll
    rates = np.array([part.faults.rates.get(kind, 0.0) for kind in KINDS])
    part.truth.write("fabrications", COLUMNS, ())
    if not rates.any():
        return first
    measures = {code: values.copy() for code, values in first.measures.items()}
    made = _Made(part, first, measures)
    classes = _class_numbers(roll)
    _, starts, counts = np.unique(classes, return_index=True, return_counts=True)
    draws = stream(part.seed, Stream.FABRICATION, part.number, roll.year).random(len(starts))
    truth: list[tuple[int, str, str, str, int]] = []
    codes = [g.fitness_code for g in grades()]
    for start, count, draw in zip(starts.tolist(), counts.tolist(), draws.tolist(), strict=True):
        at = int(np.searchsorted(np.cumsum(rates), draw, side="right"))
        if at == len(KINDS) or count < LEAST_PUPILS:
            continue
        kind, rows = KINDS[at], np.arange(start, start + count)
        school, grade, klass = int(roll.school[start]), int(roll.grade[start]), int(roll.klass[start])
        rng = stream(part.seed, Stream.FABRICATION, school, roll.year, grade, klass)
        touched = made.by_kind[kind](rows, rng)
        if touched:
            code = f"{codes[grade]}{klass:02d}"
            truth.append((roll.year, part.schools.codes[school], code, kind, touched))
    part.truth.write("fabrications", COLUMNS, truth)
    whole = Sittings(roll, measures, first.excuse, first.is_retest, first.eyes)
    return made.with_strangers(whole)


class _Made:
    """Each kind as a method: rows of a class -> pupils touched (0: could not be done here)."""

    def __init__(self, part: Part, first: Sittings, measures: dict[str, Floats]) -> None:
        self.part, self.first, self.measures = part, first, measures
        self.sex = np.where(part.people.is_male[first.roll.person], 1, 2)
        self.by_kind: dict[str, Callable[[Rows, np.random.Generator], int]] = {
            "fabricated_heaped": self.heaped,
            "fabricated_copied_rows": self.copied_rows,
            "fabricated_copied_columns": self.copied_columns,
            "fabricated_last_year": self.last_year,
            "fabricated_not_on_roll": self.not_on_roll,
            "fabricated_at_threshold": self.at_threshold,
            "fabricated_too_good": self.too_good,
            "damaged_weight_in_jin": self.weight_in_jin,
            "damaged_swapped_columns": self.swapped_columns,
        }
        self._strangers: list[tuple[Roll, dict[str, Floats]]] = []
        self._before: Sittings | None = None

    def heaped(self, rows: Rows, rng: np.random.Generator) -> int:
        """Values that somebody rounded to fives, tens and halves, or thought of."""
        hit = rows[rng.random(len(rows)) < rng.uniform(0.6, 1)]
        codes = [code for code in self._items(rows) if code in _STEPS] + list(_BODY)
        for code in rng.choice(codes, min(len(codes), int(rng.integers(3, 7))), replace=False):
            step = rng.choice(_STEPS[code])
            values = self.measures[code]
            values[hit] = np.round(values[hit] / step) * step
        return len(hit)

    def copied_rows(self, rows: Rows, rng: np.random.Generator) -> int:
        """Rows of a few pupils given to others, some changed a little so that it does not show."""
        touched = 0
        share, is_changed = rng.uniform(0.3, 0.7), rng.random() < 0.6
        for sex in (1, 2):
            own = rows[self.sex[rows] == sex]
            if len(own) < 4:
                continue
            donors = rng.choice(own, min(len(own) // 3, int(rng.integers(2, 6))), replace=False)
            taken = np.setdiff1d(own, donors)
            taken = taken[rng.random(len(taken)) < share]
            given = rng.choice(donors, len(taken))
            for values in self.measures.values():
                values[taken] = values[given]
            codes = [code for code in self._items(own) if code != "pull_up"]
            for row in taken if is_changed else ():
                for code in rng.choice(codes, int(rng.integers(0, 3)), replace=False):
                    self._nudge(code, row, rng)
            touched += len(taken)
        return touched

    def copied_columns(self, rows: Rows, rng: np.random.Generator) -> int:
        """Columns of another class of the school pasted over this one's."""
        roll = self.first.roll
        near = (roll.school == roll.school[rows[0]]) & (roll.grade == roll.grade[rows[0]])
        near &= roll.klass != roll.klass[rows[0]]
        if not near.any():
            return 0
        klass = rng.choice(np.unique(roll.klass[near]))
        source = np.flatnonzero(near & (roll.klass == klass))
        codes = [code for code in self._items(rows) if code != "pull_up"]
        for code in rng.choice(codes, min(len(codes), int(rng.integers(2, 5))), replace=False):
            for sex in (1, 2):
                to, origin = rows[self.sex[rows] == sex], source[self.sex[source] == sex]
                count = min(len(to), len(origin))
                self.measures[code][to[:count]] = self.first.measures[code][origin[:count]]
        return len(rows)

    def last_year(self, rows: Rows, rng: np.random.Generator) -> int:
        """Last year's results of the same pupils, as they were or a little better."""
        before = self._year_before()
        if before is None:
            return 0
        places = {int(person): n for n, person in enumerate(before.roll.person.tolist())}
        pairs = [
            (row, places[p]) for row in rows.tolist() if (p := int(self.first.roll.person[row])) in places
        ]
        same = [
            (now, then) for now, then in pairs if before.roll.grade[then] + 1 == self.first.roll.grade[now]
        ]
        if len(same) < LEAST_PUPILS:
            return 0
        kept = np.array(same)[rng.random(len(same)) < rng.uniform(0.7, 1)]
        now, then = kept[:, 0], kept[:, 1]
        codes = self._items(rows)
        for code in rng.choice(codes, min(len(codes), int(rng.integers(3, len(codes) + 1))), replace=False):
            added = rng.integers(0, 3) * self._improvement(code)
            self.measures[code][now] = np.round(before.measures[code][then] + added, 1)
        if rng.random() < 0.5:
            self.measures["height"][now] = np.round(before.measures["height"][then] + rng.integers(3, 7), 1)
        return len(now)

    def not_on_roll(self, rows: Rows, rng: np.random.Generator) -> int:
        """Results of pupils who are not in this school."""
        roll = self.first.roll
        others = np.flatnonzero((roll.grade == roll.grade[rows[0]]) & (roll.school != roll.school[rows[0]]))
        if len(others) < LEAST_PUPILS:
            return 0
        who = rng.choice(others, int(rng.integers(3, 9)), replace=False)
        stranger = roll.take(who)
        here = Roll(
            roll.year,
            roll.term,
            stranger.person,
            np.full(len(who), roll.school[rows[0]]),
            np.full(len(who), roll.grade[rows[0]]),
            np.full(len(who), roll.klass[rows[0]]),
            stranger.entered,
            stranger.suspended,
        )
        invented = self._invented(who, rng, 84, 6)
        invented |= {code: self.first.measures[code][who] for code in _BODY}
        self._strangers.append((here, invented))
        return len(who)

    def at_threshold(self, rows: Rows, rng: np.random.Generator) -> int:
        """Values that fell short of a step lifted to it, to the unit."""
        points = int(rng.choice([60, 80, 80, 90]))
        share = rng.uniform(0.5, 0.9)
        codes = [code for code in self._items(rows) if code not in ("pull_up",)]
        touched: set[int] = set()
        for code in rng.choice(codes, min(len(codes), int(rng.integers(3, len(codes) + 1))), replace=False):
            for sex in (1, 2):
                own = rows[self.sex[rows] == sex]
                table = steps().get((code, sex, int(self.first.roll.grade[rows[0]])))
                if table is None or not len(own):
                    continue
                at = float(table[1][np.searchsorted(table[0], points)])
                values = self.measures[code]
                falls_short = values[own] > at if table[1][0] > table[1][-1] else values[own] < at
                lifted = own[falls_short & (rng.random(len(own)) < share)]
                values[lifted] = at
                touched |= set(lifted.tolist())
        return len(touched) if len(touched) >= LEAST_PUPILS else 0

    def too_good(self, rows: Rows, rng: np.random.Generator) -> int:
        """Nobody was away, nobody is weak, all are alike."""
        invented = self._invented(rows, rng, rng.uniform(87, 94), rng.uniform(2, 4.5))
        for code, values in invented.items():
            there = ~np.isnan(values)
            self.measures[code][rows[there]] = values[there]
        return len(rows)

    def weight_in_jin(self, rows: Rows, rng: np.random.Generator) -> int:
        weight = self.measures["weight"]
        if np.nanmax(weight[rows]) >= 100:  # the import takes no more than 200
            return 0
        weight[rows] = np.round(weight[rows] * 2, 1)
        return len(rows)

    def swapped_columns(self, rows: Rows, rng: np.random.Generator) -> int:
        """The items of boys in the columns of girls, and the other way round."""
        if self.first.roll.grade[rows[0]] < J1:
            return 0
        one, other = _SWAPPED[int(rng.random() < 0.4)]
        values = self.measures[one][rows].copy()
        self.measures[one][rows] = self.measures[other][rows]
        self.measures[other][rows] = values
        return len(rows)

    def with_strangers(self, sittings: Sittings) -> Sittings:
        for roll, measures in self._strangers:
            sittings = sittings.with_more(roll, measures, is_retest=False)
        return sittings

    def _items(self, rows: Rows) -> list[str]:
        """Items of the test that this class has."""
        return [
            code
            for code, values in self.measures.items()
            if code not in _BODY and not np.isnan(values[rows]).all()
        ]

    def _invented(
        self, rows: Rows, rng: np.random.Generator, mean: float, spread: float
    ) -> dict[str, Floats]:
        """Measures that somebody thought of, around so many points; NaN where there is no such item."""
        found = {code: np.full(len(rows), np.nan) for code in self.measures}
        grade = int(self.first.roll.grade[rows[0]])
        for sex in (1, 2):
            own = np.flatnonzero(self.sex[rows] == sex)
            for code, values in found.items():
                table = steps().get((code, sex, grade))
                if table is not None and len(own):
                    points = np.clip(mean + spread * rng.standard_normal(len(own)), 60, 100)
                    values[own] = np.round(read_back(points, *table), _DECIMALS.get(code, 0))
        return found

    def _nudge(self, code: str, row: int, rng: np.random.Generator) -> None:
        by = {"vital_capacity": 20, "height": 0.5, "weight": 0.5, "run_50m": 0.1, "sit_and_reach": 0.5}
        self.measures[code][row] += rng.choice((-1, 1)) * by.get(code, 1)
        self.measures[code][row] = np.round(self.measures[code][row], 1)

    def _improvement(self, code: str) -> float:
        by = {"vital_capacity": 50, "run_50m": -0.1, "sit_and_reach": 0.5}
        by |= dict.fromkeys(("shuttle_run_50x8", "run_1000m", "run_800m"), -2.0)
        return by.get(code, 2.0)

    def _year_before(self) -> Sittings | None:
        if self._before is None:
            roll = self.part.roll(1, self.part.year - 1)
            if roll is not None:
                self._before = first_sittings(
                    self.part.people, roll, self.part.schools, self.part.seed, self.part.number
                )
        return self._before


def _class_numbers(roll: Roll) -> NDArray[np.int64]:
    """One number a class, in the order of the roll."""
    return (roll.school.astype(np.int64) * 15 + roll.grade) * 1000 + roll.klass
