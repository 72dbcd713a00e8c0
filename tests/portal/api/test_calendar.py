"""`/calendar.ics`: due dates and releases as a calendar program reads them; equal bytes till a release."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from fastapi.testclient import TestClient
from icalendar import Calendar

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.publish.release import Release
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

SCHOOL = Caller(Role.SCHOOL, "s", unit_code="2111010000", district_code="110101", via="session")
DISTRICT = Caller(Role.DISTRICT, "d", unit_code="110101", district_code="110101", via="session")


def told(settings: Settings, caller: Caller, query: str = "") -> Calendar:
    with TestClient(create_app(settings, EverybodyIs(caller)), base_url="http://127.0.0.1") as client:
        answer = client.get(f"/calendar.ics{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content)


def uids(calendar: Calendar, begin: str) -> set[str]:
    found = [str(event["uid"]) for event in calendar.walk("VEVENT")]
    assert len(found) == len({*found})
    return {uid for uid in found if uid.startswith(begin)}


def test_each_kind_of_sender_has_its_own_dates(published: Settings) -> None:
    public, school, district = (told(published, who) for who in (ANYBODY, SCHOOL, DISTRICT))
    assert uids(public, "due-") == set()
    assert uids(public, "release-") == {"release-1@beijing"}
    assert uids(school, "due-")
    assert uids(school, "due-") < uids(district, "due-")
    assert {uid.split("-")[2] for uid in uids(school, "due-")} == {"school"}
    assert uids(told(published, ANYBODY, "?senders=school"), "due-") == uids(school, "due-")


def test_an_event_says_in_chinese_what_is_due_on_which_day(published: Settings) -> None:
    events = [one for one in told(published, DISTRICT).walk("VEVENT") if str(one["uid"]).startswith("due-")]
    for event in events:
        day = event.decoded("dtstart")
        assert type(day) is date
        assert date(2026, 5, 1) < day < date(2027, 11, 1)
        assert str(event["summary"]).startswith("报送截止：")
        assert "依据：" in str(event["description"])
        assert len(event.walk("VALARM")) == 1
    assert "合成数据" in str(told(published, DISTRICT)["x-wr-calname"])


def test_it_is_the_same_until_a_release_comes(settings: Settings, publish: Callable[..., Release]) -> None:
    publish(1)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        path = "/calendar.ics?senders=district"
        first = client.get(path)
        again = client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        publish(2)
        later = client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert later.status_code == 200
        before, after = (Calendar.from_ical(one.content) for one in (first, later))
        assert uids(before, "due-") == uids(after, "due-"), "a program knows the dates again"
        assert uids(after, "release-") == {"release-1@beijing", "release-2@beijing"}


@pytest.mark.parametrize("query", ["?senders=family", "?senders="])
def test_another_kind_is_refused(published: Settings, query: str) -> None:
    with TestClient(create_app(published), base_url="http://127.0.0.1") as client:
        assert client.get(f"/calendar.ics{query}").status_code == 422
