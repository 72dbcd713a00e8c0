"""What releases hide, and that an outsider with all of them learns no small count."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ....outsider import attack
from .conftest import Site, enrollment, fitness

Make = Callable[..., Site]
PUPILS = "pub_enrollment_district_year"
FITNESS = "pub_fitness_district_year"
SAFETY = "pub_safety_district_year"


def shown(site: Site) -> dict[str, Any]:
    return site.column(PUPILS, "pupil_count")


def why(site: Site) -> dict[str, Any]:
    return site.column(PUPILS, "pupil_count_missing_reason")


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        # A small district alone is the city less the rest.
        ((9, 40, 30, 0), {"A": "k", "C": "c"}),
        # Two nines and eighteen: both are nine. A third goes, and is far enough from the next.
        ((9, 9, 12, 60, 90), {"A": "k", "B": "k", "C": "c"}),
        # The third could be 12 or 13 only, for the next is 13: the fourth goes too.
        ((9, 9, 12, 13, 60, 90), {"A": "k", "B": "k", "C": "c", "D": "c"}),
        # At their lower ends: two ones.
        ((1, 1, 30, 50), {"A": "k", "B": "k", "C": "c"}),
        # Two that are uncertain by themselves.
        ((5, 5, 10, 50), {"A": "k", "B": "k"}),
        # Six of a sum of seven, and who has none: no choice hides that each has one or two.
        ((1, 1, 1, 1, 1, 2, 0), dict.fromkeys(("city", *"ABCDEFG"), "w")),
        # Nobody to hide behind: the city goes, and a zero stays.
        ((9, 0), {"A": "k", "city": "k"}),
        ((40, 30), {}),
    ],
)
def test_what_is_hidden(make_site: Make, counts: tuple[int, ...], hidden: dict[str, str]) -> None:
    site = make_site().publish(**{PUPILS: enrollment(*counts)})
    assert {unit: reason for unit, reason in why(site).items() if reason} == hidden
    assert {unit for unit, count in shown(site).items() if count is None} == set(hidden)
    assert attack(site.releases, site.truth) == []


def test_rows_lie_in_the_order_of_their_keys(make_site: Make) -> None:
    site = make_site().publish(**{PUPILS: enrollment(9, 3, 7, 120, 5, 60)})
    assert [row["district_code"] for row in site.releases[0][PUPILS]] == [None, *"ABCDEF"]


def test_pupils_of_no_known_district_are_not_given_back(make_site: Make) -> None:
    rows = enrollment(40, 30, city=75, has_unmapped_code=True)
    site = make_site().publish(**{PUPILS: rows})
    assert why(site) == {"city": None, "A": None, "B": "c"}
    assert attack(site.releases, site.truth) == []


def test_a_hidden_nine_is_not_told_by_the_tenth(make_site: Make) -> None:
    """One more incident makes the nine a ten; shown, it would tell what it was."""

    def year(*counts: int) -> list[dict[str, Any]]:
        about = {"school_year_start": 2025, "has_unmapped_code": False}
        units = [("district", code, n) for code, n in zip("ABC", counts, strict=True)]
        return [
            about | {"unit_level": level, "district_code": code, "incident_count": n, "injured_count": 30 + n}
            for level, code, n in [*units, ("city", None, sum(counts))]
        ]

    site = make_site().publish(**{SAFETY: year(9, 30, 40)})
    first = site.column(SAFETY, "incident_count_missing_reason")
    assert first == {"city": None, "A": "k", "B": "c", "C": None}
    for count in (10, 11):
        site.publish(**{SAFETY: year(count, 30, 40)})
        assert site.column(SAFETY, "incident_count_missing_reason") == first
    # Far more came, here or there: it may be shown.
    site.publish(**{SAFETY: year(20, 45, 44)})
    assert site.column(SAFETY, "incident_count")["A"] == 20
    assert attack(site.releases, site.truth) == []


def test_a_district_that_gets_its_first_pupils_is_not_told_by_the_total(make_site: Make) -> None:
    site = make_site().publish(**{PUPILS: enrollment(60, 40, 50, 0)})
    site.publish(**{PUPILS: enrollment(60, 40, 50, 3)})
    assert shown(site)["D"] is None
    assert shown(site)["city"] is None, "the total rose by three, and nobody else did"
    assert attack(site.releases, site.truth) == []


def test_a_count_that_falls_is_not_told_by_what_it_was(make_site: Make) -> None:
    site = make_site().publish(**{PUPILS: enrollment(12, 40, 50, 70)})
    site.publish(**{PUPILS: enrollment(9, 40, 50, 70)})
    assert shown(site)["A"] is None
    assert attack(site.releases, site.truth) == []


def test_patterns_are_kept(make_site: Make) -> None:
    """The complement stays the same cell though another would be cheaper now: two patterns tell both."""
    site = make_site().publish(**{PUPILS: enrollment(9, 31, 30, 70)})
    assert why(site)["C"] == "c"
    site.publish(**{PUPILS: enrollment(9, 31, 34, 70)})
    assert why(site)["C"] == "c"
    assert attack(site.releases, site.truth) == []


def test_the_same_counts_are_hidden_alike_in_every_release(make_site: Make) -> None:
    site = make_site()
    parts = fitness((100, 60, 97), (80, 30, 60))
    for _ in range(3):
        site.publish(**{PUPILS: enrollment(9, 9, 12, 13, 60, 90), FITNESS: parts})
    assert site.releases[0] == site.releases[1] == site.releases[2]
    assert site.counted["groups_told_before"] == 0


def test_what_is_withheld_comes_back_once_it_can(make_site: Make) -> None:
    site = make_site().publish(**{PUPILS: enrollment(1, 1, 1, 1, 1, 2, 0)})
    assert site.counted["withheld"] == 8
    for counts in ((2, 1, 1, 1, 1, 2, 0), (12, 14, 11, 25, 31, 12, 0), (40, 34, 31, 55, 61, 32, 0)):
        site.publish(**{PUPILS: enrollment(*counts)})
        assert attack(site.releases, site.truth) == [], counts
    assert set(why(site).values()) == {None}


def test_what_an_earlier_release_told_does_not_hide_everything_for_ever(make_site: Make) -> None:
    site = make_site(protection_width=1)
    site.publish(**{PUPILS: enrollment(9, 9, 40, 60)})
    assert attack(site.releases) != []
    site.settings = replace(site.settings, protection_width=5)
    site.publish(**{PUPILS: enrollment(9, 9, 40, 60)})
    assert site.counted["groups_told_before"] == 1
    assert why(site) == {"city": None, "A": "k", "B": "k", "C": "c", "D": None}


def test_both_sides_of_a_share_and_what_lies_between_are_hidden(make_site: Make) -> None:
    site = make_site().publish(
        **{
            FITNESS: fitness(
                (100, 60, 97),  # three fail
                (200, 120, 200),  # everybody passes
                (150, 60, 66),  # six pass and no more
                (300, 150, 240),
                (400, 150, 300),
            )
        }
    )
    passed, good = site.column(FITNESS, "pass_count"), site.column(FITNESS, "good_or_excellent_count")
    assert (passed["A"], passed["B"]) == (None, None)
    assert None in (passed["C"], good["C"])
    assert site.column(FITNESS, "pass_share")["B"] is None
    assert site.column(FITNESS, "scored_count")["city"] == 1150
    assert attack(site.releases, site.truth) == []


def test_small_groups_hide_their_shares(make_site: Make) -> None:
    site = make_site().publish(**{FITNESS: fitness((8, 4, 6), (200, 120, 160), (300, 150, 240))})
    row = next(row for row in site.releases[0][FITNESS] if row["district_code"] == "A")
    told = ("scored_count", "good_or_excellent_count", "good_or_excellent_share", "pass_count", "pass_share")
    assert {row[name] for name in told} == {None}
    assert attack(site.releases, site.truth) == []


def test_a_void_share_keeps_its_reason(make_site: Make) -> None:
    rows = fitness((100, 60, 80), (200, 120, 160))
    for row in rows:
        row |= {"good_or_excellent_missing_reason": "u", "good_or_excellent_share": None}
    site = make_site().publish(**{FITNESS: rows})
    assert site.column(FITNESS, "good_or_excellent_missing_reason") == dict.fromkeys(("city", "A", "B"), "u")
    assert set(site.column(FITNESS, "good_or_excellent_count").values()) == {None}


def test_a_stage_of_the_forecast_is_hidden_with_its_interval(make_site: Make) -> None:
    about = {"school_year_start": 2026}
    counts = {"kindergarten": 8.7, "primary": 30.0, "junior": 40.0, "senior": 51.2}
    rows = [
        about
        | {"grade_span": "stage", "stage_code": stage, "forecast_count": count}
        | {"lower_80_count": count - 2, "upper_80_count": count + 2}
        for stage, count in counts.items()
    ]
    rows.append(about | {"grade_span": "all", "stage_code": None, "forecast_count": 129.9})
    site = make_site().publish(pub_places_forecast_city=rows)
    found = {row["stage_code"]: row for row in site.releases[0]["pub_places_forecast_city"]}
    assert [found[s]["forecast_missing_reason"] for s in counts] == ["k", "c", None, None]
    assert found["kindergarten"]["lower_80_count"] is None
    assert float(found[None]["forecast_count"]) == 129.9
    assert attack(site.releases, site.truth) == []


def test_without_time_for_a_proof_more_is_hidden(make_site: Make) -> None:
    site = make_site().publish(
        seconds=0, **{FITNESS: fitness((100, 60, 97), (200, 120, 160), (300, 150, 240))}
    )
    assert site.counted["groups_out_of_time"] == 1
    assert set(site.column(FITNESS, "pass_count").values()) == {None}
    assert attack(site.releases, site.truth) == []


@pytest.mark.parametrize("width", [3, 8])
def test_the_width_is_a_setting_of_the_site(make_site: Make, width: int) -> None:
    counts = (9, 9, 12, 14, 18, 30, 60)
    site = make_site(protection_width=width).publish(**{PUPILS: enrollment(*counts)})
    assert attack(site.releases, site.truth, width=width) == []
    assert ("D" in {u for u, n in shown(site).items() if n is None}) == (width == 8)


def test_nothing_is_hidden_where_no_count_is_small(make_site: Make) -> None:
    site = make_site(small_cell=0).publish(**{PUPILS: enrollment(1, 2, 30)})
    assert shown(site) == {"city": 33, "A": 1, "B": 2, "C": 30}


@pytest.mark.parametrize("seed", range(8))
def test_no_history_of_any_city_tells_a_small_count(make_site: Make, seed: int) -> None:
    """Releases of cities at random: counts come, go and stay, near the bound and far from it."""
    luck = random.Random(seed)
    site = make_site()
    sizes = ((0, 0), (1, 15), (5, 30), (30, 300))
    counts = [luck.randint(*luck.choice(sizes)) for _ in range(7)]
    for _ in range(4):
        site.publish(**{PUPILS: enrollment(*counts)})
        where = luck.randrange(len(counts))
        counts[where] = max(0, counts[where] + luck.choice((-3, 0, 1, 1, 2, 6, 20)))
    assert attack(site.releases, site.truth) == []
    assert site.counted["groups_out_of_time"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_history_of_shares_tells_a_small_count(make_site: Make, seed: int) -> None:
    """Tests of more pupils come in, in a district or two at a time."""
    luck = random.Random(seed)
    site = make_site()
    parts = [[luck.randint(12, 60), luck.randint(0, 15), luck.randint(0, 12)] for _ in range(5)]
    for _ in range(3):
        told = [(good + just + failed, good, good + just) for good, just, failed in parts]
        site.publish(**{FITNESS: fitness(*told)})
        for _ in range(luck.randint(1, 6)):
            luck.choice(parts)[luck.randrange(3)] += 1
    assert attack(site.releases, site.truth) == []
    assert site.counted["groups_out_of_time"] == 0
