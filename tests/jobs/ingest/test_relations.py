"""What lines of different files owe each other: each relation with a line that agrees and one that fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs import declare
from jobs.ingest import relations
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.replies import report
from jobs.settings import Settings

SCHOOL, OTHER, CLOSED = "2111000001", "2111000002", "2111000003"
RUN = Run(
    "2025-11-20.1",
    "beijing",
    date(2025, 11, 20),
    datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC),
    "test",
    "0" * 16,
    7,
    "running",
    None,
    {},
)


def state(
    settings: Settings,
    dataset: str,
    rows: list[Mapping[str, Any]],
    day: str = "2025-09-20",
    sender: str = "110101",
) -> None:
    """One delivery of a dataset: its statements, filled up to the declared columns; lines from 2 on."""
    contract = declare.load()[dataset]
    schema = declare.arrow_schema(contract.clean_columns())
    received = date.fromisoformat(day)
    constant: dict[str, Any] = {
        "valid_from": received,
        "stated_on": received,
        "delivery_no": 1,
        "recorded_at": datetime(received.year, received.month, received.day, tzinfo=UTC),
        "is_withdrawn": False,
        "scope_key": f"{sender}|{day}",
        "flags": [],
        "sender_code": sender,
        "_delivery_id": f"{contract.feed}/{sender}/{day}_1",
        "_file_sha256": f"{dataset}-{sender}-{day}",
    }
    full = []
    for line, row in enumerate(rows, 2):
        told = constant | {"_line_number": line} | dict(row)
        full.append({f.name: _typed(told.get(f.name), f.type) for f in schema})
    where = str(tables.path(settings, contract.table))
    write_deltalake(where, pa.Table.from_pylist(full, schema=schema), mode="append")


def _typed(value: Any, kind: pa.DataType) -> Any:
    return Decimal(str(value)) if pa.types.is_decimal(kind) and value is not None else value


def on_roll(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "pupil_key": key,
        "school_year_start": 2025,
        "term": 1,
        "school_code": SCHOOL,
        "grade_key": "P3",
        "entry_month": "202309",
        "pupil_status_code": "1",
        "valid_from": date(2025, 9, 1),
    } | changes


@pytest.fixture
def register(settings: Settings) -> Settings:
    schools = [
        {"school_code": SCHOOL, "place_count": 4, "opened_date": date(2001, 9, 1)},
        {"school_code": OTHER, "place_count": 400, "opened_date": date(2025, 10, 1)},
        {
            "school_code": CLOSED,
            "place_count": 0,
            "opened_date": date(1990, 9, 1),
            "closed_date": date(2025, 7, 1),
        },
    ]
    state(settings, "school_register", [s | {"valid_from": s["opened_date"]} for s in schools], "2025-09-10")
    return settings


def found(settings: Settings, relation: str) -> list[tuple[str, str, int | None]]:
    """Findings of one relation: dataset, sender, line."""
    relations.measure(settings, RUN)
    rows = tables.rows(settings, "ops__finding")
    return sorted(
        (r["dataset"], r["sender_code"], r["line_number"] or 0) for r in rows if r["relation"] == relation
    )


def test_a_school_code_is_in_the_register_and_open_that_day(register: Settings) -> None:
    state(
        register,
        "pupil_roll",
        [on_roll("a"), on_roll("b", school_code=OTHER), on_roll("c", school_code="9999999999")],
    )
    days = {"after": date(2025, 10, 8), "before": date(2025, 9, 8), "closed": date(2025, 9, 8)}
    reports = [
        {"school_code": OTHER, "reported_date": days["after"], "valid_from": days["after"]},
        {"school_code": OTHER, "reported_date": days["before"], "valid_from": days["before"]},
        {"school_code": CLOSED, "reported_date": days["closed"], "valid_from": days["closed"]},
    ]
    reports = [r | {"class_name": str(n), "symptom_code": "fever"} for n, r in enumerate(reports)]
    state(register, "illness_report", reports, "2025-10-09")
    assert found(register, "school_in_register") == [
        ("illness_report", "110101", 3),
        ("illness_report", "110101", 4),
        ("pupil_roll", "110101", 3),
        ("pupil_roll", "110101", 4),
    ]
    rate = next(
        r
        for r in tables.rows(register, "ops__match_rate")
        if (r["relation"], r["dataset"]) == ("school_in_register", "pupil_roll")
    )
    assert (rate["examined_count"], rate["matched_count"], rate["is_within"]) == (3, 1, False)
    assert rate["match_share"] == pytest.approx(1 / 3)


GONE, RECODED, NEW = "2111000004", "2111000005", "2111000006"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_a_merged_and_a_recoded_school_are_known_until_that_day_in_any_order(
    settings: Settings, order: tuple[int, ...]
) -> None:
    day = date(2025, 9, 1)
    listed = {"opened_date": date(2001, 9, 1), "valid_from": date(2001, 9, 1), "place_count": 400}
    changes = [
        {"from_school_code": GONE, "to_school_code": SCHOOL, "change_kind_code": "merge"},
        {"from_school_code": RECODED, "to_school_code": NEW, "change_kind_code": "recode"},
        {"from_school_code": OTHER, "to_school_code": OTHER, "change_kind_code": "rename"},
        {"from_school_code": CLOSED, "to_school_code": None, "change_kind_code": "close"},
        # goes on, though the line names no code after the change
        {"from_school_code": SCHOOL, "to_school_code": None, "change_kind_code": "rename"},
    ]
    codes = [SCHOOL, OTHER, GONE, RECODED, NEW, CLOSED]

    def reported(on: date) -> list[dict[str, Any]]:
        names = ("school_code", "reported_date", "valid_from", "class_name", "symptom_code")
        return [dict(zip(names, (code, on, on, "1班", "fever"), strict=True)) for code in codes]

    deliveries: list[tuple[str, list[Any], str]] = [
        # The register names the merged school no more, and the recoded one still by its old code.
        ("school_register", [listed | {"school_code": c} for c in (SCHOOL, OTHER, RECODED)], "2025-09-10"),
        ("school_change", [c | {"change_date": day, "valid_from": day} for c in changes], "2025-09-11"),
        ("illness_report", reported(date(2025, 6, 2)), "2025-06-03"),
        ("illness_report", reported(date(2025, 10, 8)), "2025-10-09"),
    ]
    for number in order:
        dataset, rows, received = deliveries[number]
        state(settings, dataset, rows, received)
    relations.measure(settings, RUN)
    findings = [r for r in tables.rows(settings, "ops__finding") if r["relation"] == "school_in_register"]
    told = {(r["delivery_id"][-12:-2], codes[r["line_number"] - 2]): r["evidence"] for r in findings}
    assert len(told) == len(findings)
    assert told == {
        ("2025-06-03", NEW): None,
        ("2025-10-09", GONE): f"自 2025-09-01 起变更为 {SCHOOL}",
        ("2025-10-09", RECODED): f"自 2025-09-01 起变更为 {NEW}",
        ("2025-10-09", CLOSED): None,
    }


def test_a_change_that_is_taken_back_leaves_the_code_as_it_was(settings: Settings) -> None:
    day = date(2025, 9, 1)
    change = {"from_school_code": SCHOOL, "to_school_code": OTHER, "change_kind_code": "merge"}
    change |= {"change_date": day, "valid_from": day}
    listed = {"opened_date": date(2001, 9, 1), "valid_from": date(2001, 9, 1)}
    state(settings, "school_register", [listed | {"school_code": c} for c in (SCHOOL, OTHER)], "2025-09-10")
    state(settings, "school_change", [change | {"is_withdrawn": True}], "2025-09-12")
    state(settings, "school_change", [change], "2025-09-11")
    state(settings, "pupil_roll", [on_roll("a")])
    assert found(settings, "school_in_register") == []


def test_a_result_without_the_pupil_on_the_roll_of_that_term(settings: Settings) -> None:
    state(settings, "pupil_roll", [on_roll("a"), on_roll("b")])
    results = [
        {"pupil_key": "a", "test_date": date(2025, 10, 8)},
        {"pupil_key": "stranger", "test_date": date(2025, 10, 8)},
        # No roll of the second term is there: nothing can be asked of this line.
        {"pupil_key": "b", "test_date": date(2026, 4, 8)},
    ]
    results = [
        r | {"school_code": SCHOOL, "school_year_start": 2025, "valid_from": date(2025, 10, 8)}
        for r in results
    ]
    state(settings, "test_result", results, "2025-10-20", SCHOOL)
    assert found(settings, "pupil_on_roll") == [("test_result", SCHOOL, 3)]
    (rate,) = [r for r in tables.rows(settings, "ops__match_rate") if r["relation"] == "pupil_on_roll"]
    assert (rate["examined_count"], rate["matched_count"]) == (2, 1)


def test_a_document_of_several_pupils_and_one_that_fills_the_cell(settings: Settings) -> None:
    asked = {"flags": ["id_document_number:placeholder"]}
    rows = [
        on_roll("a", document_key="E"),
        on_roll("b", document_key="E"),
        on_roll("c", document_key="F"),
        on_roll("d", document_key="0", **asked),
        # Too short for a token of its own.
        on_roll("e", **asked),
        on_roll("f"),
    ]
    state(settings, "pupil_roll", rows)
    assert found(settings, "one_document_one_pupil") == [("pupil_roll", "110101", n) for n in (2, 3, 5, 6)]
    told = {row["evidence"] for row in tables.rows(settings, "ops__finding")}
    assert told == {"2 个学籍号", "占位号码"}


def test_a_pupil_on_two_rolls_of_a_term(settings: Settings) -> None:
    state(settings, "pupil_roll", [on_roll("a"), on_roll("b"), on_roll("c")])
    others = [
        on_roll("a", school_code=OTHER),
        on_roll("b", school_code=OTHER, pupil_status_code="3"),
        on_roll("c", school_code=OTHER, term=2),
    ]
    state(settings, "pupil_roll", others, sender="110105")
    assert found(settings, "one_open_spell") == [("pupil_roll", "110101", 2), ("pupil_roll", "110105", 2)]


@pytest.mark.parametrize(
    ("grade", "month", "is_sound"),
    [
        ("P3", "202309", True),
        ("P3", "202509", True),
        ("P3", "202602", True),
        ("P3", "202109", True),
        ("P3", "202009", False),
        ("P3", "202609", False),
        ("P1", "202309", True),
        ("P1", "202209", False),
        ("J1", "201709", True),
        ("J1", "201609", False),
        ("K2", "202209", True),
        ("K2", "202109", False),
    ],
)
def test_the_month_of_entry_fits_the_grade(
    settings: Settings, grade: str, month: str, is_sound: bool
) -> None:
    state(
        settings,
        "pupil_roll",
        [on_roll("a", grade_key=grade, entry_month=month), on_roll("b", entry_month=None)],
    )
    assert (found(settings, "entry_month_fits_grade") == []) is is_sound


def test_more_pupils_than_places_in_the_newest_term(register: Settings) -> None:
    state(
        register,
        "pupil_roll",
        [on_roll(f"p{i}", term=2, school_year_start=2024) for i in range(9)],
        "2025-03-05",
    )
    assert found(register, "pupils_within_places") == [("pupil_roll", "110101", 0)]
    (finding,) = [r for r in tables.rows(register, "ops__finding") if r["relation"] == "pupils_within_places"]
    assert finding["evidence"] == f"学校 {SCHOOL}: 在籍 9, 核定学位 4"


def test_pupils_up_to_the_bound_are_no_finding(register: Settings) -> None:
    state(
        register,
        "pupil_roll",
        [on_roll(f"p{i}", term=2, school_year_start=2024) for i in range(9)],
        "2025-03-05",
    )
    state(register, "pupil_roll", [on_roll(f"p{i}") for i in range(4)])
    assert found(register, "pupils_within_places") == []


def test_a_check_fails_below_the_bound_and_a_second_call_writes_nothing(register: Settings) -> None:
    state(register, "pupil_roll", [on_roll(str(i), school_code="9999999999") for i in range(3)])
    checks = {c["check_name"]: c for c in relations.measure(register, RUN)}
    assert not checks["match_rate(school_in_register)"]["is_success"]
    assert not checks["match_rate(school_in_register)"]["is_stop"]
    assert checks["match_rate(one_open_spell)"]["is_success"]
    before = len(tables.rows(register, "ops__finding"))
    assert before == 3
    relations.measure(register, RUN)
    assert len(tables.rows(register, "ops__finding")) == before


def test_findings_reach_the_senders_report(register: Settings) -> None:
    state(register, "pupil_roll", [on_roll("a"), on_roll("b", school_code="9999999999")])
    relations.measure(register, RUN)
    receipt = {
        "receipt_id": "00ff",
        "dataset": "pupil_roll",
        "feed": "enrollment",
        "headers": ['["学籍号", "学校代码"]'],
        "members": [None],
        "sheets": [None],
        "delivery_id": "enrollment/110101/2025-09-20_1",
        "file_sha256": "pupil_roll-110101-2025-09-20",
    }
    made = report.gather(register, receipt)
    assert "学校标识码在学校名录中 1/2 (下限 98%, 低于下限)" in made.rates
    (problem,) = made.problems
    assert (problem.severity, problem.line, problem.heading, problem.position) == ("核对", 3, "学校代码", 1)
    assert problem.asked == "学校标识码在学校名录中"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"kind": "guess"}, "no kind 'guess'"),
        ({"datasets": {"pupil_roll": {"column": "shoe_size"}}}, "no column shoe_size"),
        ({"leest": 1}, "leest"),
    ],
)
def test_a_wrong_declaration_is_named(
    broken: dict[str, Any], said: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    entry = {
        "zh": "",
        "en": "",
        "kind": "single_spell",
        "datasets": {"pupil_roll": {"column": "pupil_national_id"}},
        "least": 1,
        "wrong_zh": "",
        "fix_zh": "",
        "wrong_en": "",
        "fix_en": "",
    }
    (tmp_path / "relations.yaml").write_text(yaml.safe_dump({"r": entry | broken}))
    monkeypatch.setattr(relations, "EXPECTATIONS", tmp_path)
    with pytest.raises(declare.ContractError, match=said):
        relations.load.__wrapped__()


def test_a_pupil_who_left_before_school_began_is_not_on_its_roll(register: Settings) -> None:
    keys = ("before", "on_the_day", "during", "back", "other_school", "no_show")
    state(register, "pupil_roll", [on_roll(key) for key in keys])
    changes = [
        ("before", "withdraw", date(2025, 8, 20), SCHOOL),
        ("on_the_day", "transfer_out", date(2025, 9, 1), SCHOOL),
        ("during", "transfer_out", date(2025, 10, 10), SCHOOL),
        ("back", "transfer_out", date(2025, 8, 20), SCHOOL),
        ("back", "transfer_in", date(2025, 8, 20), SCHOOL),
        ("other_school", "transfer_out", date(2025, 8, 20), OTHER),
        ("nobody", "withdraw", date(2025, 8, 20), SCHOOL),
    ]
    names = ("pupil_key", "roll_change_kind_code", "change_date", "school_code")
    rows = [dict(zip(names, change, strict=True)) | {"valid_from": change[2]} for change in changes]
    state(register, "roll_change", rows, "2025-10-20")
    assert found(register, "left_before_school_began") == [
        ("roll_change", "110101", 2),
        ("roll_change", "110101", 3),
    ]
