"""The attack itself: it finds every weakness that is planted, and nothing in tables that are sound."""

from __future__ import annotations

from typing import Any

import pytest

from .outsider import attack

PUPILS = "pub_enrollment_district_year"
FITNESS = "pub_fitness_district_year"


def pupils(**counts: Any) -> list[dict[str, Any]]:
    """`A=9, B="k", city=60`: rows in the order given; a text is the reason of a hidden count."""
    return [
        {
            "unit_level": "city" if unit == "city" else "district",
            "district_code": None if unit == "city" else unit,
            "stage_code": "primary",
            "school_year_start": 2025,
            "has_unmapped_code": False,
            "pupil_count": None if isinstance(count, str) else count,
            "pupil_count_missing_reason": count if isinstance(count, str) else None,
        }
        for unit, count in counts.items()
    ]


def pass_rates(**told: tuple[int, int | str, float | None]) -> list[dict[str, Any]]:
    """Unit -> (scored, passed or a reason, share); how many are good is never shown."""
    return [
        {
            "unit_level": "city" if unit == "city" else "district",
            "district_code": None if unit == "city" else unit,
            "school_year_start": 2025,
            "has_unmapped_code": False,
            "scored_count": scored,
            "scored_count_missing_reason": None,
            "pass_count": None if isinstance(passed, str) else passed,
            "pass_share": share,
            "pass_missing_reason": passed if isinstance(passed, str) else None,
            "good_or_excellent_count": None,
            "good_or_excellent_share": None,
            "good_or_excellent_missing_reason": "u",
        }
        for unit, (scored, passed, share) in told.items()
    ]


SOUND = pupils(A="k", B="k", C="c", D=60, E=90, city=180)


@pytest.mark.parametrize(
    ("releases", "told"),
    [
        ([{PUPILS: SOUND}, {PUPILS: SOUND}], None),
        ([{PUPILS: pupils(A="k", B=40, C=50, city=99)}], "pupil_count is 9 to 9"),
        ([{PUPILS: pupils(A="k", B="k", C=40, city=58)}], "pupil_count is 9 to 9"),
        ([{PUPILS: pupils(A="k", B="k", C=40, city=42)}], "pupil_count is 1 to 1"),
        # Beside the nines twelve or thirteen: no more is shown than thirteen.
        ([{PUPILS: pupils(A="k", B="k", C="c", D=13, city=43)}], "pupil_count is 8 to 9"),
        ([{PUPILS: pupils(A=7, B=40, city=47)}], "pupil_count is 7"),
        (
            # One more pupil in the city, and the ninth of A is the tenth.
            [
                {PUPILS: pupils(A="k", B="c", C=40, D=50, city=129)},
                {PUPILS: pupils(A=10, B=30, C=40, D=50, city=130)},
            ],
            "A in release 1: pupil_count is 9 to 9",
        ),
        (
            # The reason alone says that A has crossed the bound.
            [
                {PUPILS: pupils(A="k", B="c", C=40, D=50, city=129)},
                {PUPILS: pupils(A="c", B="c", C=40, D=50, city=130)},
            ],
            "A in release 1: pupil_count is 9 to 9",
        ),
        (
            # The complement is another one in each release, and nobody came or went.
            [
                {PUPILS: pupils(A=20, B="k", C="c", D=60, city=105)},
                {PUPILS: pupils(A="c", B="k", C=20, D=60, city=105)},
            ],
            "B in release 1: pupil_count is 5 to 5",
        ),
        ([{PUPILS: [*SOUND[:2][::-1], *SOUND[2:]]}], "another order"),
        ([{PUPILS: SOUND, "pub_again": pupils(A=9)}], "is 9 in pub_again"),
        ([{FITNESS: pass_rates(A=(100, "k", 0.97), B=(200, "c", None), city=(300, 270, 0.9))}], "97 to 97"),
        (
            [{FITNESS: pass_rates(A=(100, 100, 1.0), B=(200, 170, 0.85), city=(300, 270, 0.9))}],
            "of everybody",
        ),
        ([{FITNESS: pass_rates(A=(100, 97, 0.97), B=(200, 173, 0.865), city=(300, 270, 0.9))}], "not passed"),
    ],
)
def test_a_planted_weakness_is_found(releases: list[dict[str, Any]], told: str | None) -> None:
    for release in releases:
        for rows in release.values():
            for row in rows:
                if row["unit_level"] == "city":
                    rows.insert(0, rows.pop(rows.index(row)))
                    break
    found = attack(releases)
    if told is None:
        assert found == []
    else:
        assert any(told in words for words in found), found
