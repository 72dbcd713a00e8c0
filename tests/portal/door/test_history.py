"""The next run takes what was handed in; the history then shows the final state beside the first verdict."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from jobs.ingest import clean, journal, raw
from jobs.lake import deliveries
from jobs.lake.deliveries import Piece
from jobs.settings import Settings

from .conftest import DISTRICT, Client
from .test_routes import returns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED = "enrollment"


def run(settings: Settings, spark: SparkSession, door: Client) -> None:
    """What a run does up to clean rows."""
    journal.reopen_after_withdrawals(settings, FEED)
    raw.write_raw(settings, "2026-12-01.1", FEED)
    clean.clean_rows(settings, spark, "2026-12-01.1", FEED)
    door.app.state.desk.lake.forget()


def file_of(told: Any) -> Any:
    return told["files"][0]


@pytest.mark.slow
def test_the_final_state_stands_beside_the_first_verdict(
    settings: Settings, spark: SparkSession, door: Client
) -> None:
    bad = returns(schools=9) + f"2111000009,{DISTRICT},2024,P9,x\n".encode()
    made = door.hand_in(("a.csv", bad)).json()
    first = file_of(door.verdict(made["id"]))
    run(settings, spark, door)
    told = door.told(made["id"])
    final = file_of(told)["final"]
    assert told["state"] == "final"
    same = ("code", "outcome", "line_count", "accepted_count", "refused_count", "flagged_count", "receipt_id")
    assert {name: final[name] for name in same} == {name: first["verdict"][name] for name in same}
    assert file_of(told)["differs"] is None
    for kind in ("report.xlsx", "report.html", "marked.xlsx"):
        assert door.get(file_of(told)["reports"][kind]).status_code == 200

    # A larger delivery of an earlier day, handed in another way, changes what the next file is compared with.
    small = door.hand_in(("b.csv", returns("21", schools=8))).json()
    assert file_of(door.verdict(small["id"]))["verdict"]["code"] == "accepted"
    deliveries.hand_in(
        settings, FEED, DISTRICT, date(2026, 1, 2), [Piece("c.csv", returns("22", schools=60))]
    )
    door.post(f"/api/v1/deliveries/{made['id']}/withdrawal", json={"reason": "误报"}).raise_for_status()
    run(settings, spark, door)
    told = file_of(door.told(small["id"]))
    assert told["final"]["outcome"] == "held"
    assert told["differs"]["zh"].startswith("入湖处理时：")

    page = door.get("/api/v1/deliveries?limit=2").json()
    rest = door.get(f"/api/v1/deliveries?cursor={page['next']}").json()
    listed = [*page["deliveries"], *rest["deliveries"]]
    assert [(one["channel"], one["state"]) for one in listed] == [
        ("door", "final"),
        ("door", "withdrawn"),
        ("landing", "final"),
    ]
    assert rest["next"] is None
    other = door.told(listed[2]["id"])
    assert file_of(other)["final"]["line_count"] == 60
    assert door.get(file_of(other)["reports"]["report.xlsx"]).status_code == 200
    assert door.get(f"/api/v1/deliveries/{listed[2]['id']}", headers={"x-who": "other"}).status_code == 404
