"""Every notation of a value with one that is none, judged in one pass."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from jobs import declare
from jobs.judging import identifiers, values
from jobs.judging.expressions import Sql, col

# GB 11643: an identity number of a division that no place has; its check character is 2.
RESIDENT = "999999201501010012"


def column(dataset: str, name: str) -> declare.Column:
    return declare.load()[dataset].column(name)


def read(name: str, texts: list[str | None], factor: float | None = None) -> list[Any]:
    """The values of texts in a column of the fitness upload or the school register."""
    dataset = (
        "test_result"
        if name in {c.name for c in declare.load()["test_result"].columns}
        else "school_register"
    )
    scale = col("factor") if factor is not None else None
    return asked(texts, values.value_of(column(dataset, name), col("text"), "cn", scale), factor)


def asked(texts: list[Any], value: Sql, factor: float | None = None) -> list[Any]:
    """An expression over `text` and `factor`, for each text."""
    count = len(texts)
    with duckdb.connect() as db:
        columns = [
            pa.array(range(count)),
            pa.array(texts, pa.string()),
            pa.array([factor] * count, pa.float64()),
        ]
        db.register("rows", pa.table(columns, ["i", "text", "factor"]))
        return [v for (v,) in db.execute(f"select {value} from rows order by i").fetchall()]


def check(body: str) -> str:
    """The GB 11643 check character, worked out digit by digit."""
    total = sum(int(d) * (2 ** (17 - i)) for i, d in enumerate(body))
    return "10X98765432"[total % 11]


def test_the_example_number_is_sound() -> None:
    assert check(RESIDENT[:17]) == RESIDENT[17]


def test_a_short_run_is_seconds_in_each_notation_and_never_minutes() -> None:
    written = ["7.8", '7"8', "7″80", "7秒8", "7'8", "7''8", "7.8秒", "7.8s", "1.25", "1分25秒", "七秒"]
    seconds = [Decimal(s) for s in ("7.8", "7.8", "7.80", "7.8", "7.8", "7.8", "7.8", "7.8", "1.25")]
    assert read("run_50m_s", list(written)) == [*seconds, None, None]


def test_a_long_run_is_minutes_and_seconds_unless_the_heading_says_seconds() -> None:
    written: list[str | None] = ["3'45", "3.45", "225", "4分", "225秒", "3'75", "3min45s", "3分钟45秒"]
    assert read("run_1000m_s", written) == [225, 225, 225, 240, 225, None, 225, 225]
    in_seconds = read("run_1000m_s", ["3'45", "3.45", "225"], factor=1)
    assert in_seconds == [225, Decimal("3.45"), 225]


def test_the_headings_unit_decides_and_a_unit_behind_the_number_goes_before() -> None:
    assert read("height_cm", ["1.52", "1.525", "152cm"], factor=100) == [152, Decimal("152.5"), 152]
    assert read("height_cm", ["152", "1.52m", "1520毫米", "152kg"]) == [152, 152, 152, None]
    assert read("equipment_value_yuan", ["3.5", "1,200.5"], factor=10_000) == [
        35_000,
        Decimal("1200.5"),
    ]
    assert read("equipment_value_yuan", ["35000", "3.5万元", "1,200.5"]) == [
        35_000,
        35_000,
        Decimal("1200.5"),
    ]
    assert read("standing_long_jump_cm", ["1.85", "1.855"], factor=100) == [185, None]


def test_whole_numbers_stay_whole() -> None:
    assert read("pull_up_count", ["12", "12.0", "12次", "12.5", "1,200"]) == [12, 12, 12, None, 1200]


def test_precision_is_rounded_half_away_from_zero() -> None:
    assert read("height_cm", ["152.35", "152.34"]) == [Decimal("152.4"), Decimal("152.3")]


def test_any_day_is_read_in_every_spelling() -> None:
    days = [
        date(1999, 12, 31),
        date(2000, 2, 29),
        *(date(2011, 1, 1) + timedelta(days=37 * i) for i in range(60)),
    ]
    for spell in (
        lambda d: d.strftime("%Y%m%d"),
        lambda d: f"{d.year}-{d.month}-{d.day}",
        lambda d: f"{d.year}/{d.month}/{d.day}",
        lambda d: f"{d.year}.{d.month:02d}.{d.day:02d}",
        lambda d: f"{d.year}年{d.month}月{d.day}日",
        lambda d: f"{d.isoformat()} 08:30:00",
        lambda d: f"{d.isoformat()}T00:00:00",
        lambda d: str((d - date(1899, 12, 30)).days),
        lambda d: f"{(d - date(1899, 12, 30)).days}.0",
    ):
        assert read("test_date", [spell(d) for d in days]) == days
    assert read("test_date", ["2023-02-29", "20231301", "去年", "31/12/2023"]) == [None] * 4


def test_lost_digits_are_told_from_sound_numbers() -> None:
    lost = ["1.10101E+17", "1.1010120000101123e+17", "110101201501010000.0", "110101201501011000"]
    sound = [RESIDENT, RESIDENT[:17] + "x", "E12345678", "2111000001.0", "110101"]
    found = asked(lost + sound, identifiers.is_digits_lost(col("text")))
    assert [bool(value) for value in found] == [True] * len(lost) + [False] * len(sound)


def test_a_grade_in_words_is_its_code_in_every_form() -> None:
    """The upload keeps its own grade codes, the roll and the return ours; what names no grade is none."""
    fitness = asked(
        ["21", "七年级", "初一", "G7", "初中一年级", "7 年级", "高一", "11", "7", "07", "大班", "41", "24"],
        values.value_of(column("test_result", "fitness_grade_code"), col("text"), "cn"),
    )
    assert fitness == [21, 21, 21, 21, 21, 21, 31, 11, None, None, None, None, None]
    written = ["07", "7", "七年级", "初一", "J1", "Grade 7", "初中1年级", "大班", "21", "七年级1班", "1-1"]
    for dataset in ("pupil_roll", "roll_change", "grade_return", "illness_report", "digital_resource"):
        found = asked(list(written), values.value_of(column(dataset, "grade_key"), col("text"), "cn"))
        assert found == ["J1"] * 7 + ["K3", None, None, None], dataset
    us = asked(
        ["K", "KG", "0", "00", "01", "1", "G1", "12", "K3", "PK", "13"],
        values.value_of(column("grade_return", "grade_key"), col("text"), "us_k12"),
    )
    assert us == ["K3"] * 4 + ["P1"] * 3 + ["S3", None, None, None]


def test_other_codes_are_found_in_any_case_and_with_blanks() -> None:
    texts = ["男", "男 生", "Male", "FEMALE", "1.0", "01", "X"]
    assert read("sex_code", list(texts)) == ["1", "1", "1", "2", "1", "1", None]
