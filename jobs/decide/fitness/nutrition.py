"""National BMI classes by half-year of age. They differ from the fitness standard's bands: never mix the two.

Overweight and obesity: WS/T 586-2018, ages 6 to 18. Thinness and stunting: WS/T 456-2014, ages 6 to 17.5. At
least two transcriptions agree on every BMI bound (confidence: high). The height bounds of stunting come from
one transcription (confidence: medium), so publish `is_stunted` only with that remark.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.decide.fitness import standard as st
from jobs.decide.fitness.exact_numbers import PLACES, SCALE, State, day_numbers, numbers
from jobs.declare import standards

FIRST_HALF_YEAR, LAST_HALF_YEAR = 12, 36  # 6.0 and 18.0 years
NO_BOUND = -1
CLASSES = ("moderate_severe_thin", "mild_thin", "normal", "overweight", "obese")
CLASS_ZH = ("中重度消瘦", "轻度消瘦", "正常", "超重", "肥胖")
OUTPUT_SCHEMA = pa.schema(
    [
        ("age_half_years", pa.int32()),
        ("national_bmi_class", pa.string()),
        ("is_stunted", pa.bool_()),
    ]
)


def classify(rows: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    """National class of each row: one row out (OUTPUT_SCHEMA) for each row in, in order.

    In: `sex_code` (1, 2), `birth_date`, `test_date` (dates or ISO text), `height_cm`, and `bmi`, rounded half
    up to 0.1 here, as the bounds are. Out: completed half-years of age (25 is 12.5 to under 13 years), one of
    CLASSES, and whether the height is at or below the bound of stunting. Null where a value is missing or the
    standards have no bound: thinness ends at 17.5, so at 18 only overweight and obese are known.
    Raises KeyError for an absent column, TypeError for binary floats. Source: WS/T 586-2018, WS/T 456-2014.
    """
    length = rows.num_rows
    column = {
        name: _whole(rows.column(name))
        for name in ("sex_code", "birth_date", "test_date", "height_cm", "bmi")
    }
    born, tested = day_numbers(column["birth_date"]), day_numbers(column["test_date"])
    has_age = (born.state == State.VALUE) & (tested.state == State.VALUE) & (tested.scaled >= born.scaled)
    age = np.where(has_age, half_years(born.scaled, tested.scaled), 0)

    sex, sex_state = numbers(column["sex_code"], length)
    sex_at = np.where(sex == SCALE, 0, 1)
    is_known = has_age & (sex_state == State.VALUE) & np.isin(sex, (SCALE, 2 * SCALE))
    is_known &= (age >= FIRST_HALF_YEAR) & (age <= LAST_HALF_YEAR)
    age_at = np.where(is_known, age - FIRST_HALF_YEAR, 0)
    obese, overweight, mild, severe, stunted = (bound[sex_at, age_at] for bound in _bounds())

    given, bmi_state = numbers(column["bmi"], length, keep_excess=True)
    bmi = (given + SCALE // 20) // (SCALE // 10)
    kinds = [bmi <= severe, (bmi > severe) & (bmi <= mild), bmi >= obese, bmi >= overweight, mild != NO_BOUND]
    kind = np.select(kinds, [0, 1, 4, 3, 2], -1)
    has_class = is_known & (bmi_state == State.VALUE) & (kind >= 0)

    height, height_state = numbers(column["height_cm"], length)
    is_short = height <= stunted * (10 ** (PLACES - 1))
    has_height = is_known & (height_state == State.VALUE) & (stunted != NO_BOUND)
    classes = pa.DictionaryArray.from_arrays(pa.array(kind, pa.int32(), mask=~has_class), pa.array(CLASSES))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(age, pa.int32(), mask=~has_age),
            classes.dictionary_decode(),
            pa.array(is_short, pa.bool_(), mask=~has_height),
        ],
        schema=OUTPUT_SCHEMA,
    )


def half_years(born: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Completed half-years between two days since 1970; a month is complete on its day of the month."""
    birth, now = born.astype("datetime64[D]"), day.astype("datetime64[D]")
    birth_month, month = birth.astype("datetime64[M]"), now.astype("datetime64[M]")
    months = (month - birth_month).astype(np.int64)
    months -= (now - month) < (birth - birth_month)
    return months // 6


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


@lru_cache(maxsize=1)
def _bounds() -> tuple[NDArray[np.int64], ...]:
    """Tenths by (sex, half-year from 6.0): obese, overweight, mild and moderate or severe thin, stunting."""
    columns = {
        "bmi_wst586_2018": ("obese_bmi_ge", "overweight_bmi_ge"),
        "bmi_thinness_wst456_2014": (
            "mild_thin_bmi_le",
            "moderate_severe_thin_bmi_le",
            "stunting_height_cm_le",
        ),
    }
    found = []
    for table, names in columns.items():
        for name in names:
            bound = np.full((2, LAST_HALF_YEAR - FIRST_HALF_YEAR + 1), NO_BOUND, np.int64)
            for row in standards.rows(f"fitness/{table}"):
                if row[name]:
                    at = st.in_units(row["age_from_years"], 1) * 2 // 10 - FIRST_HALF_YEAR
                    bound[("male", "female").index(row["sex"]), at] = st.in_units(row[name], 1)
            found.append(bound)
    return tuple(found)
