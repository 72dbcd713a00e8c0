"""At the door: who may send what, and that nothing but the receipt is kept of what is refused."""

from __future__ import annotations

import csv
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from jobs import declare
from jobs.declare import examples, reasons
from jobs.declare.words import explain
from jobs.ingest import admission, clean, failures, raw, withdrawing
from jobs.lake import deliveries, receipt_text, senders, sign_offs, tables
from jobs.lake.senders import Senders
from jobs.lake.sign_offs import Scope
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE, OTHER = "2111000001", "2111000002"


def rows_of(dataset: str, **changed: str) -> tuple[list[str], list[list[str]]]:
    """Heading and lines of a dataset that its contract accepts, some columns changed."""
    contract = declare.load()[dataset]
    rows = examples.example_rows(contract, 6, after=examples.IN_TEMPLATE)
    header = [column.headings[0] for column in contract.columns]
    return header, [[{**row, **changed}[column.name] for column in contract.columns] for row in rows]


def hand_in(settings: Settings, dataset: str, sender: str, day: str = "2025-09-20", **changed: str) -> None:
    header, lines = rows_of(dataset, **changed)
    place(settings, declare.load()[dataset].feed, sender, day, f"{dataset}_2025-2026-1.csv", [header, *lines])


def place(settings: Settings, feed: str, sender: str, day: str, name: str, lines: list[list[str]]) -> None:
    source = settings.home / "outbox" / name
    source.parent.mkdir(exist_ok=True)
    with source.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(lines)
    deliveries.land(settings, source, feed, sender, date.fromisoformat(day))


def register(settings: Settings, district: str, *schools: str, day: str = "2025-09-10") -> None:
    header, (line, *_) = rows_of("school_register", district_code=district)
    at = [c.name for c in declare.load()["school_register"].columns].index("school_code")
    lines = [[*line[:at], school, *line[at + 1 :]] for school in schools]
    place(settings, "enrollment", district, day, f"register_{district}.csv", [header, *lines])


def take(settings: Settings, spark: SparkSession, feed: str) -> dict[str, dict[str, Any]]:
    """One run over a feed; the receipt of each sender's newest file."""
    run = f"2025-10-01.{len(tables.rows(settings, 'ops__receipt')) + 1}"
    admission.look_again(settings, feed)
    raw.write_raw(settings, run, feed)
    clean.clean_rows(settings, spark, run, feed)
    found = sorted(receipt_text.receipts(settings), key=lambda row: str(row["received_date"]))
    return {row["sender_code"]: row for row in found if row["feed"] == feed}


def told(receipt: dict[str, Any]) -> tuple[str, list[str]]:
    return receipt["outcome"], [reasons.code_of(reason) for reason in receipt["reasons"]]


def test_a_stranger_is_refused_and_nothing_but_the_receipt_is_kept(
    settings: Settings, spark: SparkSession
) -> None:
    for sender in ("9999", "110199", "110101", HERE, "110000"):
        hand_in(settings, "birth", sender)
    found = take(settings, spark, "place_demand")
    assert {sender: told(receipt) for sender, receipt in found.items()} == {
        "9999": ("refused", ["sender_unknown"]),
        "110199": ("refused", ["sender_unknown"]),
        "110101": ("refused", ["sender_not_for_dataset"]),
        HERE: ("refused", ["sender_not_for_dataset"]),
        "110000": ("accepted", []),
    }
    assert {row["sender_code"] for row in tables.rows(settings, "clean_places__birth")} == {"110000"}
    kept = {row["_delivery_id"] for row in tables.rows(settings, "raw_place_demand")}
    assert kept == {"place_demand/110000/2025-09-20_1"}
    for language, words in (("zh", ["9999", "请改用"]), ("en", ["9999", "use the code of a district"])):
        sentence = reasons.sentence(found["9999"]["reasons"][0], language)  # type: ignore[arg-type]
        assert all(word in sentence for word in words), sentence
    assert "请由市级部门报送" in reasons.sentence(found["110101"]["reasons"][0], "zh")


def test_a_school_is_known_by_a_register_and_its_file_waits_for_it(
    settings: Settings, spark: SparkSession
) -> None:
    """Before the first register a school may come; a new one is taken as soon as a register names it."""
    hand_in(settings, "pupil_registration", HERE, day="2025-09-05", school_code=HERE)
    assert told(take(settings, spark, "enrollment")[HERE]) == ("accepted", [])
    register(settings, "110101", HERE)
    take(settings, spark, "enrollment")
    hand_in(settings, "guard_check", OTHER, school_code=OTHER)
    hand_in(settings, "guard_check", "5111000009", school_code="5111000009")
    found = take(settings, spark, "campus_safety")
    assert told(found[OTHER]) == ("refused", ["school_not_registered"])
    register(settings, "110105", OTHER)
    take(settings, spark, "enrollment")
    found = take(settings, spark, "campus_safety")
    assert told(found[OTHER]) == ("accepted", [])
    assert told(found["5111000009"]) == ("refused", ["school_not_registered"])


def test_a_school_that_comes_with_its_register_is_taken_in_one_run(
    settings: Settings, spark: SparkSession
) -> None:
    register(settings, "110101", HERE)
    take(settings, spark, "enrollment")
    register(settings, "110105", OTHER, day="2025-09-11")
    hand_in(settings, "pupil_registration", OTHER, day="2025-09-11", school_code=OTHER)
    assert told(take(settings, spark, "enrollment")[OTHER]) == ("accepted", [])


def test_a_district_states_its_own_rows_and_a_school_itself(settings: Settings, spark: SparkSession) -> None:
    register(settings, "110101", HERE)
    register(settings, "110105", OTHER)
    take(settings, spark, "enrollment")
    # By the district that a row names; by the register; and a school by its own code. Else they are sound.
    hand_in(settings, "catchment", "110105", district_code="110101")
    hand_in(settings, "catchment", "110101", district_code="110101")
    found = take(settings, spark, "place_demand")
    assert told(found["110105"])[0] == "held"
    assert told(found["110101"]) == ("accepted", [])
    hand_in(settings, "guard_check", "110105", school_code=HERE)
    hand_in(settings, "guard_check", "110101", school_code=HERE)
    hand_in(settings, "guard_check", "110000", school_code=OTHER)
    # Nobody's yet: no register names it.
    hand_in(settings, "guard_check", "110102", school_code="2111000003")
    hand_in(settings, "guard_check", OTHER, school_code=HERE)
    found = take(settings, spark, "campus_safety")
    assert {sender: told(receipt)[0] for sender, receipt in found.items()} == {
        "110105": "held",
        "110101": "accepted",
        "110000": "accepted",
        "110102": "accepted",
        OTHER: "held",
    }
    rules = {
        (row["sender_code"], row["dataset"], row["column_name"], row["rule"])
        for row in tables.rows(settings, "ops__refused_row")
    }
    assert rules == {
        ("110105", "catchment", "district_code", "other_district"),
        ("110105", "guard_check", "school_code", "other_district"),
        (OTHER, "guard_check", "school_code", "other_school"),
    }
    contract = declare.load()["guard_check"]
    for rule, word in (("other_district", "属于其他区"), ("other_school", "其他学校的")):
        assert word in explain(contract, "school_code", rule, is_refused=True).wrong.zh


@pytest.mark.parametrize(
    ("districts", "offices", "kinds"),
    [
        ((), (), {"anything": None}),
        ((), ("nyc_doe",), {"nyc_doe": "city", "9999": None}),
        (("110101",), ("110000",), {"110101": "district", "110000": "city", HERE: "school", "99": None}),
    ],
)
def test_a_site_that_lists_nobody_takes_everybody(
    districts: tuple[str, ...], offices: tuple[str, ...], kinds: dict[str, str | None]
) -> None:
    known = Senders(frozenset(districts), frozenset(offices), frozenset({"21"}), None)
    assert {code: known.kind(code) for code in kinds} == kinds
    assert known.is_free == (not districts and not offices)
    refused = {code for code in kinds if admission.of_sender(known, code)}
    assert refused == {code for code, kind in kinds.items() if kind is None and not known.is_free}
    if known.is_free:
        assert admission.of_dataset(known, "anything", "birth") is None


def test_each_contract_says_who_may_send_it() -> None:
    allowed = {name: senders.may_send(contract) for name, contract in declare.load().items()}
    assert allowed["school_register"] == ("district", "city")
    assert allowed["birth"] == ("city",)
    assert allowed["test_result"] == ("school",)
    assert "school" in allowed["illness_report"]


def test_a_locked_period_takes_nothing_without_an_exception(settings: Settings, spark: SparkSession) -> None:
    """Also on the day of the lock; an exception lets in what was refused, for its sender, until its day."""
    register(settings, "110101", HERE)
    take(settings, spark, "enrollment")
    for district in ("110101", "110105"):
        hand_in(settings, "catchment", district, day="2025-05-20", district_code=district)
    take(settings, spark, "place_demand")
    scope = Scope("catchment", "2025", "110101")
    days = [(file.delivery_id, file.received) for file in deliveries.scan(settings)]
    sign_offs.add(settings, scope, "lock", "市级", None, days)
    for district in ("110101", "110105"):
        hand_in(settings, "catchment", district, "2025-09-10", district_code=district, dwelling_count="77")
    # Not by way of the bureau either.
    hand_in(settings, "catchment", "110000", "2025-09-10", district_code="110101", dwelling_count="78")
    found = take(settings, spark, "place_demand")
    assert told(found["110101"]) == told(found["110000"]) == ("refused", ["period_locked"])
    assert told(found["110105"]) == ("accepted", [])
    assert "申请例外" in reasons.sentence(found["110101"]["reasons"][0], "zh")
    with pytest.raises(UserError, match="锁定"):
        withdrawing.withdraw(settings, "place_demand/110101/2025-05-20_1", "某", "误报")
    # Asked again by hand it is as late as before; another's exception, and one that is over, change nothing.
    failures.retry(settings, found["110101"])
    for until, sender in ((date(2025, 12, 1), "110105"), (date(2025, 9, 9), None)):
        sign_offs.add(settings, scope, "except", "市级", "更正", days, until=until, sender=sender)
        assert told(take(settings, spark, "place_demand")["110101"]) == ("refused", ["period_locked"])
    sign_offs.add(settings, scope, "except", "市级", "更正", days, until=date(2025, 9, 10), sender="110101")
    assert told(take(settings, spark, "place_demand")["110101"]) == ("accepted", [])
    # A later run leaves what was let in as it is.
    assert told(take(settings, spark, "place_demand")["110101"]) == ("accepted", [])
    withdrawing.withdraw(settings, "place_demand/110101/2025-05-20_1", "某", "误报")
