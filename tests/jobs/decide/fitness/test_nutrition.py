"""National BMI classes at every bound of both standards."""

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from jobs.decide.fitness.nutrition import CLASSES, classify
from jobs.declare import standards


def classified(*rows: tuple[str, date | None, date, str | None, str | None]) -> list[dict[str, object]]:
    names = ("sex_code", "birth_date", "test_date", "height_cm", "bmi")
    columns = [pa.array(cells) for cells in zip(*rows, strict=True)]
    return classify(pa.table(dict(zip(names, columns, strict=True)))).to_pylist()


def at_age(sex: str, years: str, bmi: str | None, height: str | None = "150") -> tuple:  # type: ignore[type-arg]
    """A pupil on the first day of a half-year of age."""
    half = int(Decimal(years) * 2)
    day = date(2025 - half // 2 - half % 2, 4 if half % 2 else 10, 15)
    return (
        "1" if sex == "male" else "2",
        day,
        date(2025, 10, 15) if not half % 2 else date(2024, 10, 15),
        height,
        bmi,
    )


def rows_of(table: str) -> list[dict[str, str]]:
    return standards.rows(f"fitness/{table}")


@pytest.mark.parametrize(
    ("table", "column", "at_bound", "beyond", "shift"),
    [
        ("bmi_wst586_2018", "overweight_bmi_ge", {"overweight"}, {"normal", None}, "-0.1"),
        ("bmi_wst586_2018", "obese_bmi_ge", {"obese"}, {"overweight"}, "-0.1"),
        ("bmi_thinness_wst456_2014", "mild_thin_bmi_le", {"mild_thin"}, {"normal"}, "0.1"),
        (
            "bmi_thinness_wst456_2014",
            "moderate_severe_thin_bmi_le",
            {"moderate_severe_thin"},
            {"mild_thin"},
            "0.1",
        ),
    ],
)
def test_every_bound_and_the_side_beyond(
    table: str, column: str, at_bound: set[str], beyond: set[str | None], shift: str
) -> None:
    rows = rows_of(table)
    assert len(rows) in (48, 50)
    exactly = [at_age(row["sex"], row["age_from_years"], row[column]) for row in rows]
    past = [
        at_age(row["sex"], row["age_from_years"], str(Decimal(row[column]) + Decimal(shift))) for row in rows
    ]
    found = classified(*exactly)
    assert [row["age_half_years"] for row in found] == [
        int(Decimal(row["age_from_years"]) * 2) for row in rows
    ]
    assert {row["national_bmi_class"] for row in found} == at_bound
    assert {row["national_bmi_class"] for row in classified(*past)} == beyond


def test_stunting_at_the_bound_and_above() -> None:
    rows = [row for row in rows_of("bmi_thinness_wst456_2014") if row["stunting_height_cm_le"]]
    heights = [row["stunting_height_cm_le"] for row in rows]
    at = [
        at_age(row["sex"], row["age_from_years"], "18", height)
        for row, height in zip(rows, heights, strict=True)
    ]
    above = [(*row[:3], str(Decimal(row[3]) + Decimal("0.01")), row[4]) for row in at]
    assert {row["is_stunted"] for row in classified(*at)} == {True}
    assert {row["is_stunted"] for row in classified(*above)} == {False}


def test_bmi_is_rounded_half_up_first() -> None:
    found = classified(at_age("male", "12.0", "20.64999"), at_age("male", "12.0", "20.65"))
    assert [row["national_bmi_class"] for row in found] == ["normal", "overweight"]


def test_what_the_standards_do_not_cover_is_null() -> None:
    found = classified(
        at_age("male", "5.5", "16"),
        at_age("male", "18.0", "17"),
        at_age("male", "18.0", "28"),
        at_age("male", "18.5", "30"),
        at_age("female", "17.5", "20", "140"),
        at_age("male", "12.0", None, None),
        ("3", date(2013, 10, 15), date(2025, 10, 15), "150", "20"),
        ("1", None, date(2025, 10, 15), "150", "20"),
        ("1", date(2025, 10, 16), date(2025, 10, 15), "150", "20"),
    )
    assert [row["national_bmi_class"] for row in found] == [None, None, "obese", None, "normal", *[None] * 4]
    assert found[4]["is_stunted"] is None
    assert [row["age_half_years"] for row in found] == [11, 36, 36, 37, 35, 24, 24, None, None]


def test_half_a_year_is_complete_on_its_day() -> None:
    born, found = date(2013, 4, 15), []
    for day in (date(2025, 10, 14), date(2025, 10, 15)):
        found += classified(("1", born, day, "150", "20"))
    assert [row["age_half_years"] for row in found] == [24, 25]


def test_classes_do_not_depend_on_the_standards_own_bands() -> None:
    (row,) = classified(at_age("male", "6.0", "17.7"))
    assert row["national_bmi_class"] == CLASSES[4]  # the fitness standard calls 17.7 of a first grader normal
