"""Cells to values and verdicts: each rule with a value that passes and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs import declare
from jobs.declare import headings
from jobs.declare.examples import IN_TEMPLATE, example_rows
from jobs.ingest import staged
from jobs.judging import judge
from jobs.reading import reader

Judge = Callable[..., list[dict[str, Any]]]


def test_dates_in_six_spellings_and_as_a_sheet_number(judge: Judge) -> None:
    written = [
        "20260901",
        "2026-9-1",
        "2026/09/01",
        "2026.9.1",
        "2026年9月1日",
        "2026-09-01 00:00:00",
        "46266",
    ]
    wrong = ["2026-13-01", "2026-02-30", "26/9/1", "明年", "462660"]
    changes = [{"project_code": str(i), "planned_opening_date": t} for i, t in enumerate([*written, *wrong])]
    rows = judge("capacity_project", changes)
    assert [r["planned_opening_date"] for r in rows[: len(written)]] == [date(2026, 9, 1)] * len(written)
    assert [r["refused"] for r in rows[len(written) :]] == [["planned_opening_date:type"]] * len(wrong)


def test_running_times_in_the_notations_of_schools(judge: Judge) -> None:
    written = {
        "3'45": 225, "3′45″": 225, '3\'45"': 225, "3’45”": 225, "3:45": 225, "3：45": 225, "3分45秒": 225,
        "3.45": 225, "3.5": 230, "225": 225, "225.5": 225.5, "3:45:00": 225, "0:03:45": 225,
    }  # fmt: skip
    wrong = ["3'60", "3.75", "三分", "5", "3:45:20"]
    changes = [
        {"pupil_national_id": f"L{i:018d}", "run_1000m_s": t} for i, t in enumerate([*written, *wrong], 1)
    ]
    rows = judge("test_result", changes)
    got = dict(zip(written, [r["run_1000m_s"] for r in rows], strict=False))
    assert got == {text: Decimal(str(seconds)) for text, seconds in written.items()}
    assert [r["refused"] for r in rows[len(written) :]] == [["run_1000m_s:type"]] * len(wrong)


def test_fifty_meters_are_seconds_and_never_minutes(judge: Judge) -> None:
    (row,) = judge("test_result", [{"run_50m_s": "8.45"}])
    assert row["run_50m_s"] == Decimal("8.45")


def test_text_is_narrowed_and_nothing_is_nothing(judge: Judge) -> None:
    rows = judge(
        "test_result",
        [
            {"pupil_national_id": f"L{i:018d}", "pull_up_count": t}
            for i, t in enumerate(["１２", " 12 ", "'12", "12.0", "-", "NULL", "", "/", "0"], 1)
        ],
    )
    assert [r["pull_up_count"] for r in rows] == [12, 12, 12, 12, None, None, None, None, 0]
    assert all(r["refused"] == [] for r in rows)


def test_impossible_is_refused_and_unusual_is_flagged(judge: Judge) -> None:
    heights = {"149.9": [], "94.9": ["height_cm:unusual"], "1.52": None, "250.1": None}
    rows = judge(
        "test_result",
        [{"pupil_national_id": f"L{i:018d}", "height_cm": h} for i, h in enumerate(heights, 1)],
    )
    assert [None if r["refused"] else r["flags"] for r in rows] == list(heights.values())
    assert rows[2]["refused"] == ["height_cm:impossible", "height_cm:other_unit"]


def test_every_reason_of_a_row_is_named(judge: Judge) -> None:
    (row,) = judge("birth", [{"unit_code": None, "birth_year": "去年", "birth_count": "-5"}])
    assert row["refused"] == ["unit_code:required", "birth_year:type", "birth_count:impossible"]


def test_an_unmapped_code_is_flagged_and_in_a_key_refused(judge: Judge) -> None:
    rows = judge("capacity_project", [{"stage_code": "大学"}, {"project_code": "X2", "stage_code": "高中"}])
    assert (rows[0]["stage_code"], rows[0]["flags"], rows[0]["refused"]) == (
        None,
        ["stage_code:unmapped_code"],
        [],
    )
    assert (rows[1]["stage_code"], rows[1]["flags"]) == ("senior", [])


def test_an_old_county_code_is_todays_district(judge: Judge) -> None:
    (row,) = judge("capacity_project", [{"district_code": "110228"}])
    assert row["district_code"] == "110118"


def test_check_digit_of_a_pupil_number(judge: Judge) -> None:
    sound = "G999999201501010012"
    assert sound
    broken = sound[:-1] + ("0" if sound[-1] != "0" else "1")
    rows = judge(
        "pupil_roll",
        [{}, {"pupil_national_id": broken}, {"pupil_national_id": "1.1010120000101123e+17"}],
    )
    assert [r["refused"] for r in rows] == [
        [],
        ["pupil_national_id:check_digit"],
        ["pupil_national_id:digits_lost"],
    ]


def test_a_repeated_key_is_refused_once(judge: Judge) -> None:
    rows = judge("birth", [{}, {"birth_count": "1"}, {"birth_year": "2021"}])
    assert [r["refused"] for r in rows] == [[], ["unit_code:repeated_key"], []]


def test_statement_columns_come_from_the_delivery(judge: Judge) -> None:
    (row,) = judge("pupil_roll", [{}])
    assert row["scope_key"] == "110101|2025|1"
    assert row["valid_from"] == date(2025, 9, 1)
    assert row["stated_on"] == date(2025, 9, 20)
    assert (row["school_year_start"], row["term"], row["grade_key"]) == (2025, 1, "P4")
    assert "pupil_name" not in row
    assert "pupil_national_id" not in row


def test_a_resident_number_is_checked_and_a_passport_is_not(judge: Judge) -> None:
    sound = example_rows(declare.load()["pupil_registration"], 1, after=IN_TEMPLATE)[0]
    number = sound["id_document_number"]
    broken = number[:-1] + ("0" if number[-1] != "0" else "1")
    changes = [
        {"id_document_number": number.lower()},
        {"id_document_number": broken},
        {"id_document_number": "E12345678"},
        {"id_document_number": "E12345678", "id_document_type_code": "护照"},
        {"id_document_number": "1.10105201509010E+17"},
        {"id_document_number": "110105201509011000"},
    ]
    rows = judge("pupil_registration", [{**sound, **change} for change in changes])
    assert [r["refused"] for r in rows] == [
        [],
        ["id_document_number:check_digit"],
        ["id_document_number:pattern"],
        [],
        ["id_document_number:digits_lost"],
        ["id_document_number:digits_lost"],
    ]


PLACEHOLDERS = ["00000000", "0000-0000", "E00000000", "11111", "999999999999999999", "12345678", "87654321"]


def test_a_placeholder_names_nobody(judge: Judge) -> None:
    """Of a pupil with a number it is asked about; where it would name the row, the row is refused."""
    passport = {"id_document_type_code": "护照"}
    sound = ["E12345678", "EA1234567", "110105201501010", "无", "暂无", "N/A", None]
    rows = judge(
        "pupil_roll",
        [
            {"pupil_national_id": f"L{n:018d}", "id_document_number": number} | passport
            for n, number in enumerate([*PLACEHOLDERS, *sound], 1)
        ],
    )
    assert [row["refused"] for row in rows] == [[]] * len(rows)
    asked = ["id_document_number:placeholder"]
    assert [row["flags"] for row in rows] == [asked] * len(PLACEHOLDERS) + [[]] * len(sound)
    child = example_rows(declare.load()["pupil_registration"])[0] | passport
    rows = judge("pupil_registration", [child | {"id_document_number": n} for n in [*PLACEHOLDERS, "无"]])
    assert [row["refused"] for row in rows] == [asked] * len(rows)
    numbers = ["L000000000000000000", "G666666666666666666", "J123456789012345678", "无"]
    rows = judge("pupil_roll", [{"pupil_national_id": number} for number in numbers])
    assert [row["refused"] for row in rows] == [["pupil_national_id:placeholder"]] * len(numbers)


def test_an_unmapped_code_is_kept_as_sent_but_not_a_persons(judge: Judge) -> None:
    (row,) = judge("capacity_project", [{"stage_code": "大学|x"}])
    assert (row["stage_code"], row["unmapped"]) == (None, ["stage_code=大学/x"])
    (row,) = judge("test_result", [{"sex_code": "某人"}])
    assert (row["sex_code"], row["flags"], row["unmapped"]) == (None, ["sex_code:unmapped_code"], [])


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_every_contract_parses_no_line_into_its_clean_columns(dataset: str) -> None:
    contract = declare.load()[dataset]
    files = pa.Table.from_pylist([], schema=staged.FILES_SCHEMA)
    with duckdb.connect() as db:
        db.register("raw", reader.RAW_SCHEMA.empty_table())
        db.execute("set TimeZone = 'UTC'")
        db.execute(f"create table judged as {judge.parse(db, 'raw', files, contract, 'cn')}")
        parsed = db.sql("from judged").to_arrow_table()
    wanted = {
        name: declare.arrow_type(kind)
        for name, kind in contract.clean_columns().items()
        if name not in {contract.person_key, "document_key"}
    }
    own = {"_identifier": pa.string(), "_document": pa.string()}
    own |= {"refused": pa.list_(pa.string()), "unmapped": pa.list_(pa.string())}
    found = {field.name: field.type for field in parsed.schema}
    assert {n: (k.value_type if n in ("flags", "unmapped", "refused") else k) for n, k in found.items()} == {
        n: (k.value_type if n in ("flags", "unmapped", "refused") else k) for n, k in (wanted | own).items()
    }
    assert [*found] == [*wanted, *own]


def test_a_withdrawn_line_needs_its_key_only(judge: Judge) -> None:
    withdrawn: dict[str, str | None] = {"operation": "撤销", "sex_code": None, "fitness_grade_code": "很高"}
    rows = judge(
        "test_result",
        [
            withdrawn,
            withdrawn | {"pupil_national_id": None},
            withdrawn | {"operation": "更正"},
            withdrawn | {"operation": "再想想"},
            {"operation": None, "pupil_national_id": "L999999201501014711"},
        ],
    )
    assert [(r["is_withdrawn"], r["refused"]) for r in rows] == [
        (True, []),
        (True, ["pupil_national_id:required"]),
        (False, ["fitness_grade_code:unmapped_code", "sex_code:required"]),
        (False, ["fitness_grade_code:unmapped_code", "sex_code:required", "operation:unmapped_code"]),
        (False, []),
    ]


def test_a_withdrawal_list_is_recognized_by_its_key_and_operation() -> None:
    datasets = declare.load()
    assert headings.match(datasets["birth"], ["区", "出生年", "操作"]) == {"unit_code": 0, "birth_year": 1}
    assert headings.match(datasets["birth"], ["区", "出生年"]) is None
    assert headings.match(datasets["birth"], ["区", "操作"]) is None
    assert headings.match(datasets["pupil_roll"], ["学籍号", "操作"]) is None, (
        "a snapshot is sent again, whole"
    )
