"""The review part by part: parts, keys and order change nothing, and one part is held at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import special

from jobs import declare
from jobs import settings as site_settings
from jobs.decide.fitness import job, percentiles_job, review, review_job
from jobs.decide.fitness.review_frame import COLUMN, Usual, joined, make_frame
from jobs.lake import tables
from jobs.settings import Settings
from tests.dbt.conftest import typed

from .test_job import RUN
from .test_review import copied, heaped, honest

RESULTS = "clean_fitness__test_result"
SCHOOLS = 60


def no_spark() -> Any:
    raise AssertionError("fitness needs no engine")


@pytest.fixture(scope="module")
def years() -> dict[int, pd.DataFrame]:
    """Two years of the same pupils, with one class of copies and one of round values."""
    now = honest(seed=2, classes=SCHOOLS).assign(fitness_grade_code=12)
    for school, change in (("S07", heaped), ("S11", copied)):
        own = now["school_code"] == school
        now = pd.concat([now[~own], change(now[own])])
    return {2024: honest(seed=1, classes=SCHOOLS), 2025: now}


def parted(whole: pd.DataFrame, count: int) -> Iterator[pd.DataFrame]:
    """Whole schools in `count` parts, in another order."""
    number = pd.factorize(whole["school_code"])[0] % count
    for part in reversed(range(count)):
        yield whole[number == part].sample(frac=1, random_state=part)


def test_how_schools_are_parted_changes_no_digit(years: dict[int, pd.DataFrame]) -> None:
    rechecks = years[2025].iloc[::3].assign(vital_capacity_ml=lambda rows: rows["vital_capacity_ml"] + 20)
    whole = joined(years[2025], years[2024], rechecks)
    usual = review.usual_of([years[2024]])
    once = review.review_parts(lambda: [whole], usual)
    assert once.classes["is_flagged"].sum() >= 2
    again = review.review_parts(lambda: parted(whole, 7), review.usual_of(parted(years[2024], 3)))
    for one, other in ((once.classes, again.classes), (once.schools, again.schools)):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    pd.testing.assert_frame_equal(once.evidence, again.evidence, check_exact=True)
    assert {"repeated_year", "unlike_recheck"} & {*once.evidence["test_code"]} == set()


def test_usual_ranks_are_those_of_all_pupils(years: dict[int, pd.DataFrame]) -> None:
    frame = make_frame(years[2025])
    usual = Usual()
    for part in parted(years[2025], 5):
        own = make_frame(part)
        usual.add(own.group, own.measures)
    values = frame.values["vital_capacity"]
    share = (pd.Series(values).groupby(frame.group).rank() - 0.5) / pd.Series(frame.group).map(
        pd.Series(frame.group).value_counts()
    )
    assert usual.normal("vital_capacity", frame.group, values) == pytest.approx(special.ndtri(share))
    slow = usual.normal("run_50m", frame.group, frame.values["run_50m"])
    assert np.corrcoef(slow, frame.values["run_50m"])[0, 1] < -0.9, "a shorter time is better"


def key(secret: str, pupil: int) -> str:
    return hashlib.sha256(f"{secret}|{pupil}".encode()).hexdigest()[:32]


def land(settings: Settings, years: dict[int, pd.DataFrame], secret: str) -> None:
    """The years as statements of the lake, pupils under keys of a secret, and their scores."""
    for year, rows in years.items():
        blank: dict[str, Any] = dict.fromkeys(declare.table_columns(RESULTS))
        told = rows.sample(frac=1, random_state=len(secret)).to_dict("records")
        stated = [
            blank
            | {
                "pupil_key": key(secret, row["pupil_key"]),
                "school_code": row["school_code"],
                "scope_key": row["school_code"],
                "class_code": row["class_code"],
                "fitness_grade_code": int(row["fitness_grade_code"]),
                "sex_code": str(row["sex_code"]),
                "birth_date": date(year - 7 - row["pupil_key"] % 3, 1 + row["pupil_key"] % 12, 3),
                "school_year_start": year,
                "test_date": date(year, 10, 9),
                "valid_from": date(year, 10, 9),
                "stated_on": date(year, 10, 9),
                "recorded_at": datetime(year, 10, 9, tzinfo=UTC),
                "delivery_no": 1,
                "is_withdrawn": False,
                "_file_sha256": f"{year}{row['school_code']}",
                "_delivery_id": f"{row['school_code']}/{year}-10-09_1",
                "_table": 0,
                "_line_number": row["line_number"],
                "_batch_id": f"b{year}",
                **{column: row[column] for column in COLUMN.values() if column in row},
            }
            for row in told
        ]
        kinds = declare.arrow_schema(declare.table_columns(RESULTS))
        arrays = [pa.array([typed(row[f.name], f.type) for row in stated], f.type) for f in kinds]
        tables.append_rows(settings, RESULTS, pa.table(arrays, schema=kinds), f"b{year}", "run")


def decided(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """What a run decides of fitness, without run and key."""
    counts = job.decide(settings, no_spark, RUN)
    assert counts[review_job.UNITS] > 100, counts
    assert counts[percentiles_job.CURVES] > 100, counts
    found = {}
    for table in (review_job.UNITS, review_job.EVIDENCE, percentiles_job.CURVES):
        rows = tables.rows(settings, table)
        found[table] = sorted(tuple(repr(value) for value in row.values()) for row in rows)
    return found


def test_another_key_and_order_decide_alike_and_one_part_is_held(
    settings: Settings,
    years: dict[int, pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    land(settings, years, "one")
    first = decided(settings)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "other"))
    other = site_settings.load().prepare()
    land(other, years, "another secret")
    monkeypatch.setattr(review_job, "_PART_ROWS", 200)
    held: list[int] = []
    whole = review.make_frame

    def counting(results: pd.DataFrame) -> Any:
        held.append(len(results))
        return whole(results)

    monkeypatch.setattr(review, "make_frame", counting)
    monkeypatch.setattr("jobs.decide.fitness.review_frame.make_frame", counting)
    second = decided(other)
    assert first == second
    assert {row for row in first[review_job.UNITS] if "'S07'" in row}
    assert len(held) > 20
    assert max(held) < 600 < len(years[2025]) / 2, "parts of about 200 results, by whole schools"
    assert not [*other.restricted.glob("deciding-*")], "nothing of pupils is left behind"
