"""Grades spelled otherwise between years and units are one ladder, or somebody is told."""

from __future__ import annotations

import pandas as pd
import pytest

from jobs.decide.places.forecast import forecast_frame
from jobs.decide.places.tidy import tidied

SPELLINGS = {
    "1": ("01", "一年级", "小学一年级", "Grade 1"),
    "2": ("02", "二年级", "小学二年级", "Year 2"),
    "3": ("3.0", "三年级", "小三", "G3"),
}


def rows(spell: dict[tuple[str, int], int] | None = None) -> pd.DataFrame:
    """Two schools over six years; `spell`: which spelling a school writes in a year (plain without)."""
    made = []
    for unit, size in (("A", 60), ("B", 90)):
        for year in range(2018, 2024):
            for grade in SPELLINGS:
                form = (spell or {}).get((unit, year))
                word = grade if form is None else SPELLINGS[grade][form]
                made.append((unit, str(year), word, str(size + (year - int(grade)) % 5)))
    return pd.DataFrame(made, columns=["unit", "year", "grade", "enrollment"])


@pytest.mark.parametrize(
    "spell",
    [
        {(unit, year): year % 4 for unit in "AB" for year in range(2018, 2024)},
        {("B", year): 1 for year in range(2018, 2024)},
        {(unit, year): 2 for unit in "AB" for year in range(2018, 2021)},
    ],
    ids=["every year otherwise", "one school in Chinese", "another spelling since 2021"],
)
def test_a_ladder_of_many_spellings_forecasts_as_one(spell: dict[tuple[str, int], int]) -> None:
    plain, _ = tidied(rows())
    mixed, remarks = tidied(rows(spell))
    assert any("one grade" in remark for remark in remarks)
    assert mixed["grade"].nunique() == 3
    columns = ["level", "unit", "year", "forecast"]
    one, other = (forecast_frame(f, horizon=3).query("grade == 'all'")[columns] for f in (plain, mixed))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_a_spelling_that_no_list_knows_is_told_and_so_is_one_that_takes_over() -> None:
    frame = rows()
    late = frame["year"].astype(int) >= 2021
    frame.loc[late & (frame["grade"] == "2"), "grade"] = "Klasse zwei"
    _, remarks = tidied(frame)
    assert any("Klasse zwei" in remark and "no list" in remark for remark in remarks)
    assert any("2 (until 2020)" in remark and "Klasse zwei (from 2021)" in remark for remark in remarks)
    _, quiet = tidied(rows())
    assert not [remark for remark in quiet if remark.startswith("grade")]
