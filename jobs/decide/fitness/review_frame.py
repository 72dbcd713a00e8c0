"""Results of one school year as arrays by class, each value beside what is usual for grade and sex."""

from __future__ import annotations

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


@dataclass
class Frame:
    """Rows in the order of school, class and line; `klass` numbers the classes from 0.

    `values` in the item's unit, NaN where nothing was measured. An item that belongs to the other sex or
    another grade is in `foreign`, not in `values`.
    """

    keys: pd.DataFrame  # one row a class: school_code, class_code, fitness_grade_code, pupil_count
    rows: pd.DataFrame
    klass: Ints
    sex: Ints
    grade: Ints
    group: Ints  # grade and sex
    values: dict[str, Floats]
    foreign: dict[str, NDArray[np.bool_]]
    normal: dict[str, Floats] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.keys)

    def per_class(self, values: Floats | NDArray[np.bool_]) -> Floats:
        """Sum over the pupils of each class; NaN counts as 0."""
        weights = np.nan_to_num(np.asarray(values, float))
        return np.bincount(self.klass, weights, self.count).astype(float)

    @cached_property
    def tested(self) -> Floats:
        """Pupils with any value, by class."""
        some = np.zeros(len(self.rows), bool)
        for values in self.values.values():
            some |= ~np.isnan(values)
        return self.per_class(some)

    def numeric(self, name: str) -> Floats:
        return pd.to_numeric(self.rows[name], errors="coerce").to_numpy(float)


def make_frame(results: pd.DataFrame) -> Frame:
    """Arrange results: `school_code, class_code, fitness_grade_code, sex_code, pupil_key`, the measured
    columns, and, where known, `line_number` and `is_on_roll_of_school`."""
    order = [*CLASS_KEY, *(["line_number"] if "line_number" in results else [])]
    rows = results.sort_values(order, kind="stable").reset_index(drop=True)
    klass = np.asarray(rows.groupby(CLASS_KEY, sort=False).ngroup(), np.int64)
    grade = pd.to_numeric(rows["fitness_grade_code"], errors="coerce").fillna(0).to_numpy(np.int64)
    sex = pd.to_numeric(rows["sex_code"], errors="coerce").fillna(0).to_numpy(np.int64)
    keys = rows.groupby(CLASS_KEY, sort=False).agg(
        fitness_grade_code=("fitness_grade_code", "first"), pupil_count=("pupil_key", "size")
    )
    standard = load()
    known = pd.Series(grade).isin(list(standard.grade_index)).to_numpy() & np.isin(sex, (1, 2))
    table = np.array([standard.grade_index.get(g, 0) for g in grade.tolist()])
    own = np.where(known, table * 2 + sex - 1, standard.no_group)
    weight = {item.measure.code: item.weight[own] > 0 for item in standard.items}
    values: dict[str, Floats] = {}
    foreign: dict[str, NDArray[np.bool_]] = {}
    for code, column in COLUMN.items():
        if column not in rows:
            continue
        found = pd.to_numeric(rows[column], errors="coerce").to_numpy(float)
        belongs = weight.get(code, known)
        foreign[code] = ~belongs & known & ~np.isnan(found)
        values[code] = np.where(belongs, found, np.nan)
    frame = Frame(
        keys.reset_index(), rows, klass, sex, grade, (grade * 10 + sex).astype(np.int64), values, foreign
    )
    both = {**values, "bmi": values["weight"] / (values["height"] / 100) ** 2}
    for code, column_values in both.items():
        signed = -column_values if code in LOWER_IS_BETTER else column_values
        frame.normal[code] = normal_scores(signed, frame.group)
    return frame


def normal_scores(values: Floats, group: Ints) -> Floats:
    """The rank of each value in its group as a standard normal score; better is higher."""
    grouped = pd.Series(values).groupby(group)
    rank, size = grouped.rank().to_numpy(), grouped.transform("count").to_numpy()
    return np.asarray(special.ndtri((rank - 0.5) / np.where(size > 0, size, np.nan)))


def collisions(frame: Frame) -> dict[str, Floats]:
    """Chance that two pupils of one grade and sex have the same value, by item and row."""
    found = {}
    for code, values in frame.values.items():
        known = ~np.isnan(values)
        own = pd.DataFrame({"group": frame.group[known], "value": np.round(values[known], 2)})
        sizes = own.value_counts(["group", "value"]).rename("n").reset_index()
        same = (sizes["n"] * (sizes["n"] - 1)).groupby(sizes["group"]).sum()
        whole = own.groupby("group").size()
        share = (same / (whole * (whole - 1))).replace([np.inf, -np.inf], np.nan).to_dict()
        found[code] = np.array([share.get(g, np.nan) for g in frame.group.tolist()])
    return found
