"""Which pupil numbers are one pupil: what joins two, what keeps them apart, and when it was known."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from jobs import declare
from jobs.lake import links, persons, tables, withdrawals
from jobs.settings import Settings

LATE = datetime(2027, 1, 1, tzinfo=UTC)
BOY, GIRL = "1", "2"
# (dataset, day, scope, rows)
Delivery = tuple[str, str, str, Sequence[dict[str, Any]]]


def pupil(token: str, document: str | None = "E", **changes: Any) -> dict[str, Any]:
    """A line of a roll: `L…` is a temporary number, everything else a lasting one."""
    return {
        "pupil_key": token,
        "pupil_number_kind": "L" if token.startswith("L") else "G",
        "document_key": document,
        "sex_code": BOY,
        "birth_date": date(2015, 1, 1),
        "flags": [],
    } | changes


def roll(day: str, term: int, *rows: dict[str, Any], sender: str = "110101", year: int = 2025) -> Delivery:
    of_term = {"school_year_start": year, "term": term}
    return "pupil_roll", day, f"{sender}|{year}|{term}", [of_term | row for row in rows]


def registered(day: str, *rows: dict[str, Any]) -> Delivery:
    return "pupil_registration", day, "", rows


def deliver(settings: Settings, *deliveries: Delivery) -> None:
    for dataset, day, scope, rows in deliveries:
        contract = declare.load()[dataset]
        schema = declare.arrow_schema(contract.clean_columns())
        at = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        file = f"{dataset} {scope} {day}"
        own = {"stated_on": at.date(), "delivery_no": 1, "recorded_at": at, "scope_key": scope or None}
        own |= {"is_withdrawn": False, "_file_sha256": file, "_delivery_id": file}
        lines = [own | {"_line_number": number} | row for number, row in enumerate(rows, 2)]
        full = [{name: row.get(name) for name in schema.names} for row in lines]
        tables.append_rows(settings, contract.table, full, file, "run")


def known(settings: Settings, at: datetime = LATE) -> set[tuple[str, str]]:
    return set(persons.in_force(tables.rows(settings, persons.LINKS), at))


def test_a_temporary_and_a_lasting_number_in_two_terms_are_one(settings: Settings) -> None:
    deliver(settings, roll("2025-09-20", 1, pupil("L1")), roll("2026-03-05", 2, pupil("G1")))
    assert links.find_links(settings) == 1
    assert known(settings) == {("G1", "L1")}
    assert known(settings, datetime(2026, 3, 4, tzinfo=UTC)) == set()


@pytest.mark.parametrize(
    ("autumn", "spring"),
    [
        # twins on one roll, of two sexes and of one
        ([pupil("L1"), pupil("G1", sex_code=GIRL)], []),
        ([pupil("L1"), pupil("G1")], []),
        # not the same child
        ([pupil("L1")], [pupil("G1", sex_code=GIRL)]),
        ([pupil("L1")], [pupil("G1", birth_date=date(2016, 1, 1))]),
        ([pupil("L1", sex_code=None)], [pupil("G1", sex_code=None)]),
        # twins of one sex, one of whom gets the lasting number: which of the two?
        ([pupil("L1"), pupil("L2")], [pupil("G1")]),
        ([pupil("L1"), pupil("L2")], [pupil("G1"), pupil("L2")]),
        # two lasting numbers under one document
        ([pupil("L1")], [pupil("G1"), pupil("G2", sex_code=GIRL)]),
        # a document of a whole class
        ([pupil("L1")] + [pupil(f"L{n}", birth_date=date(2014, 1, n)) for n in (2, 3, 4)], [pupil("G1")]),
        # no document, or one that only fills the cell
        ([pupil("L1", None)], [pupil("G1", None)]),
        ([pupil("L1", flags=["id_document_number:placeholder"])], [pupil("G1")]),
        # a miscopied one
        ([pupil("L1", flags=["id_document_number:check_digit"])], [pupil("G1")]),
    ],
)
def test_a_shared_document_alone_joins_nobody(
    settings: Settings, autumn: list[dict[str, Any]], spring: list[dict[str, Any]]
) -> None:
    deliver(settings, roll("2025-09-20", 1, *autumn), roll("2026-03-05", 2, *spring))
    assert links.find_links(settings) == 0
    assert known(settings) == set()


def test_two_numbers_on_the_rolls_of_two_senders_in_one_term_are_two(settings: Settings) -> None:
    both = roll("2025-09-20", 1, pupil("L1")), roll("2025-09-21", 1, pupil("G1"), sender="110105")
    deliver(settings, *both)
    assert links.find_links(settings) == 0


def test_a_twin_of_the_other_sex_does_not_keep_a_number_from_its_own_pupil(settings: Settings) -> None:
    autumn = roll("2025-09-20", 1, pupil("L1"), pupil("L2", sex_code=GIRL))
    deliver(settings, autumn, roll("2026-03-05", 2, pupil("G1"), pupil("L2", sex_code=GIRL)))
    links.find_links(settings)
    assert known(settings) == {("G1", "L1")}


TURNS = {
    "both on one roll": roll("2026-09-20", 1, pupil("L1"), pupil("G1"), year=2026),
    "both on one roll of before": roll("2026-04-05", 1, pupil("L1"), pupil("G1")),
    "another birth date": roll("2026-09-20", 1, pupil("G1", birth_date=date(2016, 2, 2)), year=2026),
    "another sex": roll("2026-09-20", 1, pupil("G1", sex_code=GIRL), year=2026),
    "a second lasting number": roll("2026-09-20", 1, pupil("G2"), year=2026),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_what_contradicts_a_link_undoes_it_from_that_day_in_any_order(
    settings: Settings, turn: str, order: tuple[int, ...]
) -> None:
    deliveries = [roll("2025-09-20", 1, pupil("L1")), roll("2026-03-05", 2, pupil("G1")), TURNS[turn]]
    for number in order:
        deliver(settings, deliveries[number])
        links.find_links(settings)
    assert links.find_links(settings) == 0
    assert known(settings, datetime(2026, 3, 6, tzinfo=UTC)) == {("G1", "L1")}, "as it was known then"
    assert known(settings) == set()


@pytest.mark.parametrize("late", [False, True])
def test_a_withdrawn_delivery_says_nothing_from_its_day_on(settings: Settings, late: bool) -> None:
    """The wrong roll had parted two numbers; what it had replaced joins them again."""
    deliver(settings, roll("2025-09-20", 1, pupil("L1")), roll("2026-03-05", 2, pupil("G1")))
    deliver(settings, roll("2026-04-05", 2, pupil("L1"), pupil("G1")))
    if late:
        assert links.find_links(settings) == 0
    wrong, day = "pupil_roll 110101|2025|2 2026-04-05", date(2026, 5, 6)
    withdrawals.add(settings, wrong, "somebody", "another school's roll", [(wrong, day)])
    assert links.find_links(settings) == 1
    assert known(settings) == {("G1", "L1")}
    assert known(settings, datetime(2026, 5, 5, tzinfo=UTC)) == set(), "as it was known then"
    assert known(settings, datetime(2026, 4, 4, tzinfo=UTC)) == {("G1", "L1")}


def test_a_withdrawn_registration_joins_nobody(settings: Settings) -> None:
    deliver(settings, roll("2025-09-20", 1, pupil("G1")), registered("2025-08-20", pupil("E")))
    assert links.find_links(settings) == 1
    only = "pupil_registration  2025-08-20"
    withdrawals.add(settings, only, "somebody", "another district's", [(only, date(2025, 10, 1))])
    assert links.find_links(settings) == 0


def test_a_roll_put_right_makes_the_link_again(settings: Settings) -> None:
    deliver(settings, roll("2025-09-20", 1, pupil("L1"), pupil("G1")))
    assert links.find_links(settings) == 0
    deliver(settings, roll("2025-10-10", 1, pupil("L1")), roll("2026-03-05", 2, pupil("G1")))
    assert links.find_links(settings) == 1


def test_a_registration_is_joined_to_the_pupil_of_its_sex_and_birth_date(settings: Settings) -> None:
    child = {"sex_code": BOY, "birth_date": date(2015, 1, 1), "flags": []}
    deliver(settings, registered("2025-08-20", child | {"pupil_key": "E"}))
    deliver(settings, roll("2025-09-20", 1, pupil("G1")))
    assert links.find_links(settings) == 1
    deliver(settings, registered("2025-09-25", child | {"pupil_key": "E", "sex_code": GIRL}))
    assert links.find_links(settings) == 0, "corrected: the document is that of another child"
    deliver(settings, registered("2025-09-26", child | {"pupil_key": "E", "is_withdrawn": True}))
    assert links.find_links(settings) == 0


def test_the_links_of_many_random_rolls_are_the_same_in_any_order(settings: Settings) -> None:
    chance = random.Random(5)

    def rows() -> list[dict[str, Any]]:
        tokens = chance.sample([f"{kind}{n}" for kind in "LG" for n in range(9)], 4)
        return [
            pupil(t, chance.choice("EF") + t[1], sex_code=chance.choice((BOY, BOY, GIRL))) for t in tokens
        ]

    told = [roll(f"2026-01-{day:02d}", 1 + day % 2, *rows(), year=2020 + day % 3) for day in range(1, 13)]
    found = []
    for turn in range(2):
        here = dataclasses.replace(settings, lake=settings.lake / str(turn))
        for delivery in told:
            deliver(here, delivery)
            if turn:
                links.find_links(here)
        links.find_links(here)
        found.append(sorted(map(str, tables.rows(here, persons.LINKS))))
        chance.shuffle(told)
    assert found[0] == found[1]
    assert len(found[0]) > 1
