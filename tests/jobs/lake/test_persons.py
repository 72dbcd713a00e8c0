"""Who is one person, from statements about tokens: evidence, the bureau's word, and what was known when."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from jobs.lake import persons, tables
from jobs.settings import Settings, UserError

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)
LATE = datetime(2026, 6, 30, tzinfo=UTC)


def evidence(one: str, other: str, day: date = MAY) -> dict[str, object]:
    """Two tokens under one identity document, as `find_links` states it."""
    return {
        "person_token": one,
        "linked_person_token": other,
        "link_reason_code": persons.SAME_DOCUMENT,
        "stated_on": day,
        "delivery_no": 0,
        "recorded_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "is_withdrawn": False,
    }


def test_the_least_token_of_a_chain_is_everybodys_key() -> None:
    assert persons.resolve([("b", "c"), ("a", "b"), ("x", "y")]) == {"b": "a", "c": "a", "y": "x"}
    assert persons.resolve([]) == {}


def test_a_link_counts_from_the_moment_it_was_recorded() -> None:
    links = [evidence("a", "b", MAY), evidence("a", "c", JUNE)]
    assert persons.in_force(links, datetime(2026, 4, 30, tzinfo=UTC)) == []
    assert persons.in_force(links, datetime(2026, 5, 15, tzinfo=UTC)) == [("a", "b")]
    assert persons.in_force(links, LATE) == [("a", "b"), ("a", "c")]


def test_the_bureaus_word_stands_above_later_evidence() -> None:
    parted = evidence("a", "b", MAY) | {"link_reason_code": persons.BUREAU, "is_withdrawn": True}
    assert persons.in_force([parted, evidence("a", "b", JUNE)], LATE) == []
    joined = parted | {"stated_on": JUNE, "is_withdrawn": False}
    assert persons.in_force([parted, joined], LATE) == [("a", "b")], "of two decisions the newer counts"


def test_the_last_of_two_decisions_of_one_day_counts(settings: Settings) -> None:
    persons.decide(settings, "b", "a", "one family's two entries", MAY, are_one=True)
    assert persons.persons(settings, LATE) == {"b": "a"}
    persons.decide(settings, "a", "b", "twins, after all", MAY, are_one=False)
    assert persons.persons(settings, LATE) == {}
    numbers = [row["delivery_no"] for row in tables.rows(settings, persons.LINKS)]
    assert sorted(numbers) == [1, 2], "nothing is rewritten"


@pytest.mark.parametrize(
    ("one", "other", "note", "says"),
    [("a", "a", "why", "two different tokens"), ("a", "", "why", "two different"), ("a", "b", " ", "reason")],
)
def test_a_decision_needs_two_persons_and_a_reason(
    settings: Settings, one: str, other: str, note: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        persons.decide(settings, one, other, note, MAY, are_one=True)
    assert tables.rows(settings, persons.LINKS) == []
