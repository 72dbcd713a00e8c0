"""The scoring core: one vectorized function over Arrow columns, for the command line and for a run.

Rules and open points: docs/decisions/fitness-scoring.md. Everything is whole numbers: values in units of
their item (tenths of a second, of a centimeter, of BMI), weighted sums in hundredths; no binary float.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.decide.fitness import standard as st
from jobs.decide.fitness.exact_numbers import (
    PLACES,
    SCALE,
    Numbers,
    State,
    day_numbers,
    decimals,
    numbers,
    words,
)

_MEASURES = st.load_measures()
ITEM_CODES = tuple(code for code in _MEASURES if code not in ("height", "weight"))
MEASURE_COLUMNS = tuple(measure.column for measure in _MEASURES.values())
REASON_COLUMNS = tuple(f"{code}_missing_reason" for code in _MEASURES)
OPTIONAL_COLUMNS = ("test_date", "is_retest", "exemption_status", *REASON_COLUMNS)
INPUT_COLUMNS = ("grade_code", "sex_code", *MEASURE_COLUMNS, *OPTIONAL_COLUMNS)

_POINTS = pa.int32()
_SCORE = pa.decimal128(4, 1)
OUTPUT_SCHEMA = pa.schema(
    [
        ("bmi", _SCORE),
        *((f"points_{code}", _POINTS) for code in ITEM_CODES),
        *((f"bonus_{code}", _POINTS) for code in ITEM_CODES),
        ("standard_score", _SCORE),
        ("bonus_total", _POINTS),
        ("total_score", _SCORE),
        ("level", pa.string()),
        ("status", pa.string()),
        ("status_reason", pa.string()),
        ("standard_version", pa.string()),
    ]
)


class Status(IntEnum):
    """What became of a row; only SCORED and RETEST have a total."""

    SCORED = 0
    RETEST = 1
    INCOMPLETE = 2
    MISSING = 3
    EXEMPT = 4
    DEFERRED = 5
    INVALID = 6


STATUS_ZH = {
    "scored": "已评分",
    "retest": "补测",
    "incomplete": "缺项",
    "missing": "未测",
    "exempt": "免测",
    "deferred": "缓测",
    "invalid": "数据有误",
}
_STATUS_NAMES = [status.name.lower() for status in Status]

_EXEMPTION: dict[str, int] = {
    **dict.fromkeys(("none", "正常"), State.VALUE),
    **dict.fromkeys(("exempt", "免予执行", "免测"), State.EXEMPT),
    **dict.fromkeys(("deferred", "暂缓", "暂缓执行", "缓测"), State.DEFERRED),
}
_TRUTH = {
    **dict.fromkeys(("true", "True", "TRUE", "1", "是"), 1),
    **dict.fromkeys(("false", "False", "FALSE", "0", "否"), 0),
}

# Facts of a row, as one number: the state of every field, three bits each, and two flags.
# Rows with equal facts share status and reason, so those are worked out once per distinct number.
_FIELDS = ("grade_code", "sex_code", "test_date", "exemption_status", "is_retest", *_MEASURES)
_SHIFT = {name: 3 * place for place, name in enumerate(_FIELDS)}
_IS_RETEST = 1 << 3 * len(_FIELDS)
_NOTHING_TESTED = _IS_RETEST << 1
_DATE_LABELS = {State.UNKNOWN: "not_a_date", State.IMPOSSIBLE: "no_edition_in_force"}


class Explanation(NamedTuple):
    """Status of a row, and its reason: `missing:run_50m,pull_up; impossible:height_cm`."""

    status: Status
    reason: str | None


@lru_cache(maxsize=100_000)
def explain(facts: int) -> Explanation:
    """Status and reason of one combination of facts: items by code, cells to correct by column, no values."""
    states = {name: State(facts >> shift & 7) for name, shift in _SHIFT.items()}
    if max(states["height"], states["weight"]) >= State.NOT_A_NUMBER:
        states["bmi"] = State.VALUE  # it is not missing, it could not be computed
    noted: dict[str, list[str]] = {}
    for name, state in states.items():
        if state == State.VALUE:
            continue
        label, shown = state.name.lower(), name
        if name == "test_date":
            label = _DATE_LABELS[state]
        elif name in _MEASURES and state >= State.NOT_A_NUMBER:
            shown = _MEASURES[name].column
        noted.setdefault(label, []).append(shown)
    reason = "; ".join(f"{label}:{','.join(names)}" for label, names in noted.items()) or None

    found = set(states.values())
    if states["exemption_status"] in (State.EXEMPT, State.DEFERRED):
        status = Status[states["exemption_status"].name]
    elif max(found) >= State.NOT_A_NUMBER or State.MISSING in (states["grade_code"], states["sex_code"]):
        status = Status.INVALID
    elif State.EXEMPT in found:
        status = Status.EXEMPT
    elif State.DEFERRED in found:
        status = Status.DEFERRED
    elif facts & _NOTHING_TESTED:
        status = Status.MISSING
    elif State.MISSING in found:
        status = Status.INCOMPLETE
    else:
        status = Status.RETEST if facts & _IS_RETEST else Status.SCORED
    return Explanation(status, reason)


def check_settings(settings: st.ScoringOptions) -> None:
    """Raises ValueError where `grade_columns` points to a code without a column, or is no two-digit code."""
    known = st.load().grade_index
    for code, taken in settings.grade_columns.items():
        if code not in range(100) or code in known or taken not in known:
            raise ValueError(f"grade_columns: {code}: {taken} must give a new code a column that exists")


def score(rows: pa.Table | pa.RecordBatch, settings: st.ScoringOptions = st.DEFAULTS) -> pa.RecordBatch:
    """Score each row by the tables in force on its test date: one row out for each row in, in order.

    In: `grade_code`, `sex_code` and any of MEASURE_COLUMNS and OPTIONAL_COLUMNS, as text, integers or
    decimals in the item's unit (s, cm, ml, kg, count). Null or blank is "not tested", 0 is a value. `bmi`
    stands in where height or weight is blank. Without a test date the newest edition applies.
    Out: OUTPUT_SCHEMA. Points are null where there is no usable value or the item does not belong to the
    grade and sex; the totals are null unless every item has points. `status`, `status_reason` say why.
    Raises TypeError for binary floats. Source: 国家学生体质健康标准（2014年修订）, 表1, 表2.
    """
    standard = st.load()
    length = rows.num_rows

    def column(name: str) -> pa.Array | None:
        if rows.schema.get_field_index(name) < 0:
            return None
        found = rows.column(name)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    facts = np.zeros(length, np.int64)
    group, edition = _groups(column, length, standard, settings, facts)
    cells = {code: _cell(column, length, measure) for code, measure in _MEASURES.items()}
    bmi = _bmi(cells["height"], cells["weight"], cells["bmi"])
    cells["bmi"] = bmi

    out: dict[str, pa.Array] = {"bmi": decimals(bmi.scaled, bmi.state == State.VALUE, 4, 1)}
    earned = _points(cells, group, standard, settings, facts, out)
    which, explained = _explained(facts)
    status = np.array([each.status for each in explained], np.int8)[which]
    has_total = status <= (Status.INCOMPLETE if settings.missing_item == "zero" else Status.RETEST)
    rounded = (earned.hundredths + 5) // 10  # half up to 0.1
    compared = (rounded * 10 if settings.level_from == "rounded" else earned.hundredths) + earned.bonus * 100
    below = sum((compared < least[group]).astype(np.int8) for least in standard.level_from_hundredths.T)
    out["standard_score"] = decimals(rounded, has_total, 4, 1)
    out["bonus_total"] = pa.array(earned.bonus, _POINTS, mask=~has_total)
    out["total_score"] = decimals(rounded + earned.bonus * 10, has_total, 4, 1)
    out["level"] = _text(below, list(standard.levels), has_total)
    out["status"] = _text(status, _STATUS_NAMES)
    out["status_reason"] = _text(which, [each.reason for each in explained])
    out["standard_version"] = _text(edition, list(standard.versions), edition >= 0)
    return pa.RecordBatch.from_arrays([out[name] for name in OUTPUT_SCHEMA.names], schema=OUTPUT_SCHEMA)


class _Earned(NamedTuple):
    hundredths: NDArray[np.int64]  # weighted sum of the points, in hundredths
    bonus: NDArray[np.int64]


def _points(
    cells: Mapping[str, Numbers],
    group: NDArray[np.int64],
    standard: st.Standard,
    settings: st.ScoringOptions,
    facts: NDArray[np.int64],
    out: dict[str, pa.Array],
) -> _Earned:
    """Points and bonus of every item, into `out`, and their sums; the states of the items into `facts`."""
    hundredths = np.zeros(len(group), np.int64)
    bonus_total = np.zeros(len(group), np.int64)
    nothing_tested = group != standard.no_group
    for item in standard.items:
        code = item.measure.code
        scaled, state = cells[code]
        has_value = state == State.VALUE
        slot = np.clip(_units(item, scaled, settings), item.first, item.last) - (item.first - 1)
        at = group * item.points.shape[1] + np.where(has_value, slot, 0)
        points, bonus = item.points.ravel()[at], item.bonus.ravel()[at]
        weight = item.weight[group]
        hundredths += np.maximum(points, 0).astype(np.int64) * weight
        bonus_total += np.maximum(bonus, 0)
        belongs = weight > 0
        nothing_tested &= ~(belongs & has_value)
        facts |= np.where(belongs, state, 0).astype(np.int64) << _SHIFT[code]
        out[f"points_{code}"] = pa.array(points, _POINTS, mask=points == st.NO_POINTS)
        out[f"bonus_{code}"] = pa.array(bonus, _POINTS, mask=bonus == st.NO_POINTS)
    for code in ("height", "weight"):
        state = cells[code].state
        is_fault = (state >= State.NOT_A_NUMBER) & (group != standard.no_group)
        facts |= np.where(is_fault, state, 0).astype(np.int64) << _SHIFT[code]
    facts |= np.where(nothing_tested, _NOTHING_TESTED, 0)
    return _Earned(hundredths, bonus_total)


def _explained(facts: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Explanation]]:
    """Each row's place among the distinct facts, and the explanation of each of those."""
    distinct, which = np.unique(facts, return_inverse=True)
    return which, [explain(int(fact)) for fact in distinct]


def _groups(
    column: Callable[[str], pa.Array | None],
    length: int,
    standard: st.Standard,
    settings: st.ScoringOptions,
    facts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Table row of each pupil, and the edition (-1: none in force); faults are added to `facts`."""

    def note(name: str, state: State, where: NDArray[np.bool_]) -> None:
        facts[where] |= int(state) << _SHIFT[name]

    def code(name: str, positions: dict[int, int]) -> NDArray[np.int64]:
        scaled, state = numbers(column(name), length)
        table = np.full(100, -1, np.int64)
        for known, position in positions.items():
            table[known] = position
        whole, rest = np.divmod(scaled, SCALE)
        is_readable = (state == State.VALUE) & (rest == 0) & (whole >= 0) & (whole < len(table))
        found = np.where(is_readable, table[np.where(is_readable, whole, 0)], -1)
        note(name, State.MISSING, state == State.MISSING)
        note(name, State.UNKNOWN, (found < 0) & (state != State.MISSING))
        return found

    grades = dict(standard.grade_index)
    grades.update({other: grades[taken] for other, taken in settings.grade_columns.items()})
    grade = code("grade_code", grades)
    sex = code("sex_code", {code: position for position, code in enumerate(st.SEX_CODES)})

    newest = len(standard.versions) - 1
    edition = np.full(length, newest, np.int64)
    dates = column("test_date")
    if dates is not None:
        day, state = day_numbers(dates)
        has_day, is_fault = state == State.VALUE, state == State.UNKNOWN
        at = np.searchsorted(standard.valid_from, day, side="right") - 1
        at[(at >= 0) & (day > standard.valid_to[at])] = -1
        edition = np.where(has_day, at, np.where(is_fault, -1, newest))
        note("test_date", State.UNKNOWN, is_fault)
        note("test_date", State.IMPOSSIBLE, has_day & (at < 0))

    exemption = column("exemption_status")
    if exemption is not None:
        facts |= words(exemption, _EXEMPTION, State.UNKNOWN).astype(np.int64) << _SHIFT["exemption_status"]
    retest = column("is_retest")
    if retest is not None:
        truth = words(retest, _TRUTH, State.UNKNOWN)
        note("is_retest", State.UNKNOWN, truth == State.UNKNOWN)
        facts[truth == 1] |= _IS_RETEST

    has_group = (grade >= 0) & (sex >= 0) & (edition >= 0)
    group = (edition * len(standard.grade_index) + grade) * len(st.SEX_CODES) + sex
    return np.where(has_group, group, standard.no_group), edition


def _cell(column: Callable[[str], pa.Array | None], length: int, measure: st.Measure) -> Numbers:
    """Exact values of one measured column; what no person can reach is impossible, not a score."""
    scaled, state = numbers(column(measure.column), length, keep_excess=measure.code == "bmi")
    low, high = (bound * 10 ** (PLACES - measure.decimals) for bound in measure.possible)
    state[(state == State.VALUE) & ((scaled < low) | (scaled > high))] = State.IMPOSSIBLE
    reasons = column(f"{measure.code}_missing_reason")
    if reasons is not None:
        reason = words(reasons, _EXEMPTION, 0)
        state = np.where((state == State.MISSING) & (reason > 0), reason, state)
    return Numbers(scaled, state)


def _bmi(height: Numbers, weight: Numbers, given: Numbers) -> Numbers:
    """BMI in tenths, half up, from height and weight; the given one where either of them is blank."""
    both = (height.state == State.VALUE) & (weight.state == State.VALUE)
    kg, cm = np.where(both, weight.scaled, 0), np.where(both, height.scaled, 1)
    # In 10^-5 kg and 10^-5 cm, BMI is kg·10⁹/cm², twice its tenths kg·2·10¹⁰/cm²: at most 6·10¹⁷, 64 bits do.
    computed = (kg * (2 * 10**10) + cm * cm) // (2 * cm * cm)
    low, high = _MEASURES["bmi"].possible
    computed_state = np.where((computed < low) | (computed > high), State.IMPOSSIBLE, State.VALUE)

    is_faulty = (height.state >= State.NOT_A_NUMBER) | (weight.state >= State.NOT_A_NUMBER)
    is_given = given.state != State.MISSING
    tenth = SCALE // 10
    excused = np.maximum(height.state, weight.state)  # missing, or the reason for it
    state = np.select([both, is_faulty, is_given], [computed_state, State.MISSING, given.state], excused)
    return Numbers(np.where(both, computed, (given.scaled + tenth // 2) // tenth), state.astype(np.uint8))


def _units(item: st.Item, scaled: NDArray[np.int64], settings: st.ScoringOptions) -> NDArray[np.int64]:
    """Whole units; a value between two takes the lower step, so times go up and all others down."""
    if item.measure.code == "bmi":
        return scaled
    unit = 10 ** (PLACES - item.measure.decimals)
    if item.lower_is_better:
        direction = settings.run_50m if item.measure.code == "run_50m" else settings.long_runs
        if direction == "up":
            return -(-scaled // unit)
    return scaled // unit


def _text(
    which: NDArray[np.integer], names: list[str] | list[str | None], valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    mask = None if valid is None else ~valid
    indices = pa.array(np.asarray(which, np.int32), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string())).dictionary_decode()
