"""Premises and staff of compulsory schools as districts leave them that prepared for the law of balance.

What lies below a threshold was mended, what lies far above belongs to no school of a district; then the one
thing by which the district's profile stands out is put in. Draws stay as they are: only values move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.balance import facts_of, profiles, pupils_of, threshold
from synthetic.city.ladder import STAGES
from synthetic.city.numbers import rank_within
from synthetic.city.schools import Schools

Columns = dict[str, NDArray[Any]]

# The least and the most that a mended school has, as parts of a threshold: coefficients stay below 0.4.
# Equipment of junior schools is drawn nearer to the most, so it has more room.
_LEAST, _MOST, _MOST_EQUIPMENT = 1.06, 2.1, 2.6
_LEAST_PUPILS = 40.0  # a smaller school is built for so many
_SENIOR_WEIGHT = 1.2  # what a senior pupil counts where stages of a complete school share rooms
# Square metres of a special room: of schools planned by 2016, and later (art rooms are smaller).
_ROOM = {"music": (74.0, 96.5), "art": (68.0, 90.5)}
_PART_THAT_COUNTS = 0.15  # of a stage's pupils: the coefficient hardly sees a school with fewer
# The coefficient of the district just within the limit of 0.50, and of that beyond it.
_COEFFICIENT = {"even_enough": 0.498, "uneven": 0.56}


def mend_premises(has: Columns, schools: Schools, number: int, year: int) -> None:
    """Lift and cap what the register tells of a district's compulsory schools, by their pupils of a year.

    Adds `extra_sports_area_m2`, 0 for who may count none.
    """
    here = schools.of_district(number)
    has["extra_sports_area_m2"] = np.zeros(len(here))
    primary, junior = (pupils_of(schools, here, stage, year) for stage in ("primary", "junior"))
    senior = pupils_of(schools, here, "senior", year)
    shared = primary + junior + _SENIOR_WEIGHT * np.where(junior > 0, senior, 0)
    for at in np.flatnonzero(primary + junior > 0).tolist():
        stage = "primary" if primary[at] else "junior"
        _mend_school(
            has, at, stage, max(float(shared[at]), _LEAST_PUPILS), schools.opened[int(here[at])].year
        )
    _stand_out(has, schools, number, year, shared)


def _mend_school(has: Columns, at: int, stage: str, pupils: float, opened: int) -> None:
    def within(rule: str, value: float, step: float = 1.0) -> float:
        per = threshold(rule, stage) * pupils / (100 if rule == "R7" else 1)
        least = np.ceil(_LEAST * per / step) * step
        most = _MOST_EQUIPMENT if rule == "R6" else _MOST
        return float(np.clip(value, least, max(least, np.floor(most * per / step) * step)))

    indoor = has["indoor_sports_area_m2"][at]
    has["teaching_area_m2"][at] = within("R4", has["teaching_area_m2"][at] - indoor) + indoor
    has["sports_area_m2"][at] = within("R5", has["sports_area_m2"][at])
    has["equipment_value_yuan"][at] = within("R6", has["equipment_value_yuan"][at], 100)
    has["multimedia_classroom_count"][at] = within("R7", has["multimedia_classroom_count"][at])
    has["floor_area_m2"][at] = np.rint(max(has["floor_area_m2"][at], has["teaching_area_m2"][at] * 1.15))
    for kind, (by_2016, later) in _ROOM.items():
        rooms, area = has[f"{kind}_room_count"][at], has[f"{kind}_room_area_m2"][at]
        enough = max(rooms, has["twelves"][at])
        each = max(area / rooms, later if opened > 2016 else by_2016)
        has[f"{kind}_room_count"][at], has[f"{kind}_room_area_m2"][at] = enough, np.ceil(each * enough)


def _stand_out(has: Columns, schools: Schools, number: int, year: int, shared: NDArray[np.float64]) -> None:
    """Put in what the district's profile says of the premises of one school: its largest primary."""
    profile, own = profiles(schools, year)[number].name, facts_of(schools, number, year).primaries
    if not len(own):
        return
    first = schools.of_district(number)[0]
    at, pupils = int(own[0] - first), float(shared[int(own[0] - first)])
    need = {rule: threshold(rule, "primary") * pupils for rule in ("R4", "R5", "R6")}
    if profile == "two_short":
        has["teaching_area_m2"][at] = np.rint(0.92 * need["R4"]) + has["indoor_sports_area_m2"][at]
        has["sports_area_m2"][at] = np.rint(0.92 * need["R5"])
    elif profile == "below_85":
        has["equipment_value_yuan"][at] = 0.845 * need["R6"]
    elif profile == "on_the_edge":
        has["equipment_value_yuan"][at] = 0.85 * need["R6"]
    elif profile == "over_dense":
        has["sports_area_m2"][at] = np.rint(0.80 * need["R5"])
        has["extra_sports_area_m2"][at] = np.ceil(0.25 * need["R5"])
    elif profile in _COEFFICIENT:
        here = schools.of_district(number)
        every = np.flatnonzero(pupils_of(schools, here, "primary", year) > 0)
        _spread(has, every, shared, _COEFFICIENT[profile])


def _spread(has: Columns, every: NDArray[np.int64], shared: NDArray[np.float64], wanted: float) -> None:
    """Give all primary schools the same equipment a pupil, and one so much that the coefficient is `wanted`.

    With a part p of the pupils at x and the rest at b it is sqrt(p (1 - p)) |x - b| / (p x + (1 - p) b).
    """
    base = 1.1 * threshold("R6", "primary")
    part = shared[every] / shared[every].sum()
    rich = int(np.abs(part - 0.3).argmin())
    p = float(part[rich])
    more = base + wanted * base / (np.sqrt(p * (1 - p)) - wanted * p)
    has["equipment_value_yuan"][every] = np.rint(base * shared[every])
    has["equipment_value_yuan"][every[rich]] = np.rint(more * shared[every[rich]])


def marked_within(
    marked: NDArray[np.bool_],
    group: NDArray[np.int64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    order: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Marks moved as little as possible so that each group has from `least` to `most` (one a row of it).

    The marked of lowest `order` keep theirs first; then the others get one in that order.
    """
    count = np.bincount(group, weights=marked, minlength=int(group.max(initial=0)) + 1)[group]
    return rank_within(group, order + 10.0 * ~marked) < np.clip(count, least, np.maximum(least, most))


def persons_within(
    schools: Schools,
    school: NDArray[np.int64],
    stage: NDArray[np.int64],
    year: int,
    marked: NDArray[np.bool_],
    order: NDArray[np.float64],
    rule: str,
) -> NDArray[np.bool_]:
    """Which teachers are of a kind (`marked`); in compulsory stages as many as R2 or R3 asks of a school."""
    out = marked.copy()
    for at, name in enumerate(STAGES[1:3], 1):
        rows = np.flatnonzero(stage == at)
        pupils = np.maximum(pupils_of(schools, school[rows], name, year), 1)
        need = threshold(rule, name) * pupils / 100
        # A third above the threshold, so that schools with one such teacher and with two stay comparable;
        # beside a small school with one, the others have at least half as many for each pupil.
        least = np.ceil(1.3 * need).astype(np.int64)
        taught = np.unique(school[rows], return_index=True)[1]
        counts = pupils[taught] >= _PART_THAT_COUNTS * pupils[taught].sum()
        densest = (least / pupils)[taught[counts]].max(initial=0)
        least = np.maximum(least, np.ceil(0.5 * densest * pupils)).astype(np.int64)
        most = np.floor(2.6 * need).astype(np.int64)
        out[rows] = marked_within(marked[rows], school[rows], least, most, order[rows])
    return out
