"""The history is told page by page: each delivery once, the newest first, whatever the size of a page."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from jobs.settings import Settings
from portal.door import answers
from portal.door.lake import Lake

from .conftest import DISTRICT, OTHER

COUNTS = ("line_count", "accepted_count", "refused_count", "flagged_count", "finding_count")


def receipts() -> list[dict[str, Any]]:
    """Forty deliveries of two senders on four days, many of one moment; each fourth has two files."""
    made = []
    for number in range(40):
        day, sender = date(2025, 9, 1) + timedelta(days=number % 4), (DISTRICT, OTHER)[number % 2]
        for file in range(2 if number % 4 == 0 else 1):
            made.append(
                {
                    "receipt_id": f"r{number}-{file}",
                    "run_id": "2025-09-10.1",
                    "feed": "enrollment",
                    "dataset": "grade_return",
                    "sender_code": sender,
                    "delivery_id": f"enrollment/{sender}/{day}_{number}",
                    "received_date": day,
                    "file_name": f"{file}.csv",
                    "file_sha256": "x",
                    "byte_count": 1,
                    "outcome": "accepted",
                    "reasons": None,
                    "remarks": None,
                    "withdrawal": None,
                    **dict.fromkeys(COUNTS, 1),
                }
            )
    return made


@pytest.mark.parametrize("most", [1, 3, 7, 40])
def test_pages_of_any_size_tell_each_delivery_once(settings: Settings, most: int) -> None:
    lake, rows = Lake(settings.prepare()), receipts()
    brought = {rows[0]["delivery_id"]}
    whole = answers.came_otherwise(lake, rows, brought)
    assert len(whole) == 39
    assert sum(len(one["files"]) for one in whole) == 48
    assert [one["received_date"] for one in whole] == sorted(
        (one["received_date"] for one in whole), reverse=True
    )
    paged: list[dict[str, Any]] = []
    while page := answers.came_otherwise(
        lake, rows, brought, answers.place_of(paged[-1]["handed_at"], paged[-1]["id"]) if paged else "", most
    ):
        assert len(page) <= most
        paged += page
    assert paged == whole
