"""Bounds by other columns: made from the standard's ladders, and refused where they contradict themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jobs import declare
from jobs.decide.fitness import plausible
from jobs.declare import ContractError, bounds, standards


def test_the_bounds_are_what_the_ladders_and_the_growth_reference_give() -> None:
    kept = standards.rows("fitness/plausible")
    assert kept == plausible.rows(), "run `python -m jobs.decide.fitness.plausible`"
    columns = {c.name for c in declare.load()["test_result"].columns}
    assert {row["column_name"] for row in kept} <= columns


def test_bounds_that_contradict_themselves_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standards, "EXPECTATIONS", tmp_path)
    (tmp_path / "standards").mkdir()

    def wrong(name: str, *lines: str) -> None:
        text = "\n".join((plausible.HEADER.replace("fitness_grade_code,", ""), *lines))
        (tmp_path / "standards" / f"{name}.csv").write_text(text + "\n", encoding="utf-8")

    wrong("order", "h,1,5,4,,,2014-01-01,,x")
    wrong("twice", "h,1,1,2,,,2014-01-01,,x", "h,1,1,3,,,2020-01-01,,x")
    wrong("parted", "h,1,1,2,,,2014-01-01,2020-01-01,x", "h,1,1,3,,,2020-01-01,,x")
    with pytest.raises(ContractError, match="not in order"):
        bounds.load("order", ("sex_code",))
    with pytest.raises(ContractError, match="two bounds of h, 1 on 2020-01-01"):
        bounds.load("twice", ("sex_code",))
    with pytest.raises(ContractError, match="no standard"):
        bounds.load("nothing", ("sex_code",))
    assert [b.valid_from for b in bounds.load("parted", ("sex_code",))] == [
        date(2014, 1, 1),
        date(2020, 1, 1),
    ]


# Another unit
