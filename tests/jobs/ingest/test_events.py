"""Events that people write: refused as a run would refuse them, landed once, whatever is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from jobs import declare
from jobs.ingest import withdrawing
from jobs.ingest.events import Event, Events, event_id
from jobs.lake import deliveries, tables
from jobs.settings import ROOT, Settings

DAY = date(2025, 9, 10)


def comment(number: int, sender: str = "110105", **other: Any) -> Event:
    """A comment on a figure."""
    own = event_id("comment", str(number))
    row = {
        "write_id": own,
        "written_date": DAY.isoformat(),
        "written_time": f"{DAY}T01:02:03.{number:03}Z",
        "writer_key": "0123456789abcdef",
        "writer_role_code": "district",
        "writer_unit_code": sender,
        "about_table": "fct_enrollment_grade",
        "about_key": '{"school_code": "2111000001"}',
        "about_column": "pupil_count",
        "about_release": 3,
        "comment_text": f"第 {number} 条\n换行，“引号”",
    }
    return Event("figure_comment", own, sender, row | other)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({}, None),
        ({"comment_text": "-"}, "comment_text"),
        ({"comment_text": "请回电 138-0013-8000"}, "comment_text"),
        ({"comment_text": "电话１３８００１３８０００。"}, "comment_text"),
        ({"comment_text": "学籍号 G11010519491231002X 的成绩"}, "comment_text"),
        ({"comment_text": "见 2111000001 与 2111000002，合计 1764563456.78 元"}, None),
        ({"comment_text": "他的证号是 11010519491231002X"}, "comment_text"),
        ({"about_table": None}, ""),
        ({"written_date": "九月"}, "written_date"),
        ({"written_time": "2025-09-10 01:02"}, "written_time"),
        ({"writer_role_code": "headmaster"}, None),
        ({"about_release": 0}, "about_release"),
    ],
)
def test_a_row_is_judged_by_its_contract(
    settings: Settings, change: dict[str, Any], column: str | None
) -> None:
    faults = Events(settings).faults(comment(1, **change), DAY)
    assert [fault.column for fault in faults] == ([] if column is None else [column])
    assert all(fault.zh and fault.en for fault in faults)


@pytest.mark.parametrize("sender", ["9999", "2111000001x", "8811000001"])
def test_a_sender_that_nobody_knows_is_told(settings: Settings, sender: str) -> None:
    (fault,) = Events(settings).faults(comment(1, sender), DAY)
    assert sender in fault.zh


def test_an_event_is_landed_once_by_its_id(settings: Settings) -> None:
    events, others = Events(settings), Events(settings)
    first = events.put(comment(1), DAY)
    assert first.is_new
    # Another process, another moment, other words: the same id is the same event.
    again = others.put(comment(1, written_time="2025-09-10T09:00:00.000Z", comment_text="别的"), DAY)
    assert (again.folder, again.is_new) == (first.folder, False)
    with ThreadPoolExecutor(4) as threads:
        put = [*threads.map(lambda n: (events, others)[n % 2].put(comment(n // 4), DAY), range(40))]
    assert sum(one.is_new for one in put) == 9
    landed = others.landed("figure_comment")
    assert sorted(one.id for one in landed) == sorted(event_id("comment", str(n)) for n in range(10))
    found = events.find("figure_comment", "110105", event_id("comment", "1"))
    assert found
    assert found.row == {**comment(1).row, "about_release": 3}
    assert found.delivery_id == f"portal/110105/{first.folder.name}"
    assert events.find("figure_comment", "110101", event_id("comment", "1")) is None


WRITING = """
import sys
from pathlib import Path
from jobs import settings
from jobs import declare
from jobs.ingest import withdrawing
from jobs.ingest.events import Events
from tests.jobs.ingest.test_events import DAY, comment
events = Events(settings.load("beijing", home=Path(sys.argv[1])))
for number in range(1000):
    events.put(comment(number), DAY)
    print(number, flush=True)
"""


def test_what_was_acknowledged_lies_in_landing_whole_and_once_after_a_kill(settings: Settings) -> None:
    chance = random.Random(17)
    acknowledged = -1
    for _ in range(2):
        writing = subprocess.Popen(
            [sys.executable, "-c", WRITING, str(settings.home.parent)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert writing.stdout
        for _ in range(acknowledged + 1 + chance.randrange(5, 60)):
            acknowledged = max(acknowledged, int(writing.stdout.readline()))
        writing.kill()
        acknowledged = max([acknowledged, *map(int, writing.stdout.read().split())])
        assert writing.wait() < 0
        landed = Events(settings).landed("figure_comment")
        # One more may lie there: it was killed before it could say so.
        assert len(landed) in (acknowledged + 1, acknowledged + 2)
        assert {one.id for one in landed} >= {comment(n).id for n in range(acknowledged + 1)}
        assert {str(one.row["comment_text"]) for one in landed} == {
            str(comment(n).row["comment_text"]) for n in range(len(landed))
        }
        assert len(deliveries.scan(settings)) == len(landed)
        assert not deliveries.survey(settings).left_aside


def test_a_withdrawn_event_may_be_written_again(settings: Settings) -> None:
    events = Events(settings.prepare())
    first = events.put(comment(1), DAY)
    withdrawing.withdraw(settings, f"portal/110105/{first.folder.name}", "110105", "误写")
    assert events.landed("figure_comment") == []
    second = events.put(comment(1), DAY)
    assert second.is_new
    assert second.folder != first.folder


def test_what_a_release_shows_is_told_by_the_deliveries_of_its_version(settings: Settings) -> None:
    table = "clean_portal__figure_comment"
    for number in (1, 2):
        row = dict.fromkeys(declare.table_columns(table)) | {
            "_delivery_id": f"portal/110105/2025-09-10_{number}"
        }
        tables.append_rows(settings, table, [row], f"{number}", "run")
    events = Events(settings)
    first, second = (events.taken("figure_comment", {table: version}) for version in (0, 1))
    assert first == {"portal/110105/2025-09-10_1"}
    assert second == first | {"portal/110105/2025-09-10_2"}
    assert events.taken("figure_comment", {}) == frozenset()
