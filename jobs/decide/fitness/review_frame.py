"""Results of some classes of a school year as arrays, each value beside what is usual for grade and sex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from jobs.decide.fitness.standard import load, load_measures

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMN = {code: measure.column for code, measure in load_measures().items() if code != "bmi"}
ZH = {
    "height": "身高",
    "weight": "体重",
    "bmi": "体重指数",
    "vital_capacity": "肺活量",
    "run_50m": "50米跑",
    "sit_and_reach": "坐位体前屈",
    "rope_skip_1min": "一分钟跳绳",
    "sit_up_1min": "一分钟仰卧起坐",
    "standing_long_jump": "立定跳远",
    "pull_up": "引体向上",
    "shuttle_run_50x8": "50米×8往返跑",
    "run_1000m": "1000米跑",
    "run_800m": "800米跑",
}
# Round values that a tester may fall into, in the item's unit.
ROUND = {
    "height": (1.0,),
    "weight": (1.0,),
    "vital_capacity": (50.0, 100.0),
    "run_50m": (0.5,),
    "sit_and_reach": (1.0,),
    "rope_skip_1min": (5.0, 10.0),
    "sit_up_1min": (5.0,),
    "standing_long_jump": (5.0, 10.0),
    "shuttle_run_50x8": (5.0,),
    "run_1000m": (5.0, 10.0),
    "run_800m": (5.0, 10.0),
}
LOWER_IS_BETTER = ("run_50m", "shuttle_run_50x8", "run_1000m", "run_800m")
CLASS_KEY = ["school_code", "class_code"]
# In the row of a result: the same pupil's result of the year before, and the bureau's recheck.
BEFORE, AGAIN = "before_", "again_"
# A value, in hundredths, beside its grade and sex in one number.
_OF_GROUP, _ZERO = 10**8, 10**7
_NONE = (np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass
class Frame:
    """Rows of whole classes in the order of school, class and line; `klass` numbers the classes from 0.

    `values` in the item's unit, NaN where nothing was measured. An item that belongs to the other sex or
    another grade is in `foreign`, not in `values`.
    """

    keys: pd.DataFrame  # one row a class: school_code, class_code, fitness_grade_code, pupil_count
    rows: pd.DataFrame
    klass: Ints
    sex: Ints
    grade: Ints
    group: Ints  # grade and sex
    own: Ints  # their number in the standard
    values: dict[str, Floats]
    foreign: dict[str, NDArray[np.bool_]]
    before: dict[str, Floats]
    group_before: Ints
    again: dict[str, Floats]
    normal: dict[str, Floats] = field(default_factory=dict)
    normal_before: dict[str, Floats] = field(default_factory=dict)
    # Chance that two pupils of one grade and sex have the same value.
    same: dict[str, Floats] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.keys)

    @property
    def measures(self) -> dict[str, Floats]:
        """The values, and the body mass index."""
        return {**self.values, "bmi": self.values["weight"] / (self.values["height"] / 100) ** 2}

    def per_class(self, values: Floats | NDArray[np.bool_]) -> Floats:
        """Sum over the pupils of each class; NaN counts as 0."""
        weights = np.nan_to_num(np.asarray(values, float))
        return np.bincount(self.klass, weights, self.count).astype(float)

    @cached_property
    def some(self) -> NDArray[np.bool_]:
        """Pupils with any value."""
        return np.logical_or.reduce([~np.isnan(values) for values in self.values.values()])


class Usual:
    """How many results have each value, by item, grade and sex: ranks, and chances of agreement.

    Filled part by part; what it holds grows with the distinct values, not with the pupils.
    """

    def __init__(self) -> None:
        self._counted: dict[str, tuple[Ints, Ints]] = {}

    def add(self, group: Ints, measures: Mapping[str, Floats]) -> None:
        for code, values in measures.items():
            packed, counts = np.unique(_packed(group, values), return_counts=True)
            if code in self._counted:
                known, earlier = self._counted[code]
                packed, at = np.unique(np.r_[known, packed], return_inverse=True)
                counts = np.bincount(at, np.r_[earlier, counts]).astype(np.int64)
            self._counted[code] = packed, counts

    def normal(self, code: str, group: Ints, values: Floats) -> Floats:
        """The rank of each value in its group as a standard normal score; better is higher."""
        packed, counts = self._counted.get(code, _NONE)
        if not len(packed):
            return np.full(len(values), np.nan)
        upto = np.r_[0, np.cumsum(counts)]
        known = ~np.isnan(values)
        own = _packed(group[known], values[known])
        at, first, last = (np.searchsorted(packed, edge) for edge in (own, *_edges(group[known])))
        equal = np.where(packed[np.minimum(at, len(packed) - 1)] == own, np.r_[counts, 0][at], 0)
        size = upto[last] - upto[first]
        share = (upto[at] - upto[first] + (equal + 1) / 2 - 0.5) / np.maximum(size, 1)
        half = 0.5 / np.maximum(size, 1)
        found = np.full(len(values), np.nan)
        found[known] = special.ndtri(np.clip(share, half, 1 - half))
        return -found if code in LOWER_IS_BETTER else found

    def same(self, code: str, group: Ints) -> Floats:
        """Chance that two pupils of each row's grade and sex have the same value; NaN for fewer than two."""
        packed, counts = self._counted.get(code, _NONE)
        if not len(packed):
            return np.full(len(group), np.nan)
        groups, at = np.unique(packed // _OF_GROUP, return_inverse=True)
        agree = np.bincount(at, counts * (counts - 1), len(groups))
        whole = np.bincount(at, counts, len(groups))
        share = np.where(whole > 1, agree / np.maximum(whole * (whole - 1), 1), np.nan)
        place = np.minimum(np.searchsorted(groups, group), len(groups) - 1)
        return np.where(groups[place] == group, share[place], np.nan)


def _packed(group: Ints, values: Floats) -> Ints:
    known = ~np.isnan(values)
    return group[known] * _OF_GROUP + _ZERO + np.round(values[known] * 100).astype(np.int64)


def _edges(group: Ints) -> tuple[Ints, Ints]:
    return group * _OF_GROUP, (group + 1) * _OF_GROUP


def make_frame(results: pd.DataFrame) -> Frame:
    """Arrange results: `school_code, class_code, fitness_grade_code, sex_code`, the measured columns, and,
    where known, `line_number`, `is_on_roll_of_school` and the columns with BEFORE and AGAIN in front."""
    order = [*CLASS_KEY, *(["line_number"] if "line_number" in results else [])]
    rows = results.sort_values(order, kind="stable").reset_index(drop=True)
    klass = np.asarray(rows.groupby(CLASS_KEY, sort=False).ngroup(), np.int64)
    keys = rows.groupby(CLASS_KEY, sort=False).agg(
        fitness_grade_code=("fitness_grade_code", "first"), pupil_count=("sex_code", "size")
    )
    grade, sex, own = _groups(rows, "")
    values, foreign = _values(rows, "", own)
    before: dict[str, Floats] = {}
    group_before = np.zeros(len(rows), np.int64)
    if f"{BEFORE}fitness_grade_code" in rows:
        grade_before, sex_before, own_before = _groups(rows, BEFORE)
        group_before = _numbered(grade_before, sex_before)
        # Who repeats a year or comes from another ladder grew by another rule.
        follows = _ladder(grade) == _ladder(grade_before) + 1
        found, _ = _values(rows, BEFORE, own_before)
        before = {code: np.where(follows, then, np.nan) for code, then in found.items()}
    again: dict[str, Floats] = {}
    if f"{AGAIN}fitness_grade_code" in rows:
        again, _ = _values(rows, AGAIN, _groups(rows, AGAIN)[2])
    kept = rows[[name for name in ("line_number", "is_on_roll_of_school") if name in rows]]
    return Frame(
        keys.reset_index(),
        kept,
        klass,
        sex,
        grade,
        _numbered(grade, sex),
        own,
        values,
        foreign,
        before,
        group_before,
        again,
    )


def placed(results: pd.DataFrame, usual: Usual, usual_before: Usual) -> Frame:
    """The frame with its normal scores, this year's and the year's before, and its chances of agreement."""
    frame = make_frame(results)
    frame.normal = {code: usual.normal(code, frame.group, found) for code, found in frame.measures.items()}
    frame.normal_before = {
        code: usual_before.normal(code, frame.group_before, found) for code, found in frame.before.items()
    }
    frame.same = {code: usual.same(code, frame.group) for code in frame.values}
    return frame


def joined(
    results: pd.DataFrame, previous: pd.DataFrame | None, rechecks: pd.DataFrame | None
) -> pd.DataFrame:
    """This year's results with the same pupils' year before and recheck beside them, by `pupil_key`."""
    rows = results
    for prefix, others in ((BEFORE, previous), (AGAIN, rechecks)):
        if others is not None and len(others):
            kept = ["fitness_grade_code", "sex_code", *(c for c in COLUMN.values() if c in others)]
            first = others.drop_duplicates("pupil_key").set_index("pupil_key")[kept]
            rows = rows.join(first.add_prefix(prefix), on="pupil_key")
    return rows


def _numbered(grade: Ints, sex: Ints) -> Ints:
    return np.asarray(grade * 10 + sex, np.int64)


def _groups(rows: pd.DataFrame, prefix: str) -> tuple[Ints, Ints, Ints]:
    """Grade, sex and their number in the standard; `no_group` where the standard has none."""
    grade = pd.to_numeric(rows[f"{prefix}fitness_grade_code"], errors="coerce").fillna(0).to_numpy(np.int64)
    sex = pd.to_numeric(rows[f"{prefix}sex_code"], errors="coerce").fillna(0).to_numpy(np.int64)
    standard = load()
    known = pd.Series(grade).isin(list(standard.grade_index)).to_numpy() & np.isin(sex, (1, 2))
    table = pd.Series(grade).map(standard.grade_index).fillna(0).to_numpy(np.int64)
    return grade, sex, np.where(known, table * 2 + sex - 1, standard.no_group)


def _values(
    rows: pd.DataFrame, prefix: str, own: Ints
) -> tuple[dict[str, Floats], dict[str, NDArray[np.bool_]]]:
    """Values by item, and which were measured in an item of another grade or sex."""
    standard = load()
    known = own != standard.no_group
    weight = {item.measure.code: item.weight[own] > 0 for item in standard.items}
    values: dict[str, Floats] = {}
    foreign: dict[str, NDArray[np.bool_]] = {}
    for code, column in COLUMN.items():
        if f"{prefix}{column}" not in rows:
            continue
        found = pd.to_numeric(rows[f"{prefix}{column}"], errors="coerce").to_numpy(float)
        belongs = weight.get(code, known)
        foreign[code] = ~belongs & known & ~np.isnan(found)
        values[code] = np.where(belongs, found, np.nan)
    return values, foreign


def _ladder(grade: Ints) -> Ints:
    """Grade codes 11–16, 21–23, 31–33 as consecutive years."""
    return np.select([grade < 20, grade < 30], [grade - 10, grade - 14], grade - 21)
