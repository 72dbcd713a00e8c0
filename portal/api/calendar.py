"""`/calendar.ics`: releases, and what is due when, for calendar programs.

A program subscribes by an address and sends no key, and an address with a secret in it is passed on sooner or
later. So there is none: dates by kind of sender are told to everybody who asks for them (`?senders=school`),
and who has handed in stands elsewhere. A caller who is signed in gets the dates of his own kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from icalendar import Alarm, Calendar, Event
from starlette.concurrency import run_in_threadpool

from jobs import declare, origin
from jobs.access.caller import Role
from jobs.declare import reporting
from jobs.declare.codes import code_list
from jobs.publish import release as releases
from jobs.settings import Settings
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import OneAsked, problems_told
from portal.snapshot import Snapshot

_AHEAD = timedelta(days=400)
_BACK = timedelta(days=120)
_REMINDED = timedelta(days=-3)
_OF_ROLE: dict[Role, tuple[str, ...]] = {
    Role.SCHOOL: ("school",),
    Role.DISTRICT: ("district", "school"),
    Role.CITY: ("city", "district", "school"),
    Role.STEWARD: ("city", "district", "school"),
}
_ZH = {"school": "学校", "district": "区", "city": "市级部门"}
router = APIRouter(tags=["reporting"], responses={**problems_told(422, 503)})


@router.get(
    "/calendar.ics",
    summary="报送截止日与发布日历（iCalendar）",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}}},
    **opened_to(*EVERYBODY),
)
async def calendar(
    request: Request,
    asked: OneAsked,
    senders: Annotated[
        Literal["school", "district", "city"] | None,
        Query(description="谁的截止日 Whose due dates: school, district or city."),
    ] = None,
) -> Response:
    """Due dates of the reporting calendar, a year ahead, and the releases that are kept."""
    settings: Settings = request.app.state.settings
    kinds: tuple[str, ...] = (senders,) if senders else ()
    if not senders:
        kinds = await run_in_threadpool(_kinds, request, asked.caller.role)
    body = await run_in_threadpool(_written, settings, asked.snapshot, kinds)
    etag = asked.snapshot.etag(hashlib.sha256(body).hexdigest())
    return asked.respond(body, etag, "text/calendar; charset=utf-8")


def _kinds(request: Request, role: Role) -> tuple[str, ...]:
    if role == Role.SENDER:
        kind = request.app.state.desk.lake.senders().kind(request.state.caller.unit_code)
        return (kind,) if kind in _ZH else ()
    return _OF_ROLE.get(role, ())


def _written(settings: Settings, snapshot: Snapshot, kinds: tuple[str, ...]) -> bytes:
    """The same bytes as long as the releases are the same: times are those of the release."""
    made = Calendar()
    made.add("prodid", "-//edulake//portal//ZH")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    title = f"{settings.title_zh}：报送与发布"
    made.add("x-wr-calname", f"{origin.SHORT_ZH} {title}" if snapshot.is_synthetic else title)
    made.add("x-wr-timezone", settings.timezone)
    made.add("refresh-interval", timedelta(hours=12), parameters={"value": "DURATION"})
    for event in (*_due(settings, snapshot, kinds), *_published(settings, snapshot)):
        made.add_component(event)
    return made.to_ical()


def _due(settings: Settings, snapshot: Snapshot, kinds: tuple[str, ...]) -> Iterator[Event]:
    stamp = datetime.fromisoformat(snapshot.release.manifest["published_at"])
    day = datetime.fromisoformat(snapshot.release.manifest["as_of_date"]).date()
    owed = [one for one in reporting.load(settings.jurisdictions) if one.senders in kinds]
    types = {row["code"]: row["meaning_zh"] for row in code_list("school_type_prefix").rows}
    for one in reporting.periods(owed, reporting.days_of(settings.calendar), day + _AHEAD):
        if not day - _BACK <= one.due <= day + _AHEAD:
            continue
        contract = declare.load()[one.dataset]
        whose = _ZH[one.senders]
        if one.types:
            whose += f"（{'、'.join(types.get(code, code) for code in one.types)}）"
        event = Event()
        about = (one.dataset, one.senders, *one.types, one.period)
        event.add("uid", f"due-{'-'.join(about)}@{settings.site}")
        event.add("dtstamp", stamp)
        event.add("dtstart", one.due)
        event.add("dtend", one.due + timedelta(days=1))
        event.add("summary", f"报送截止：{contract.zh}（{one.period}，{whose}）")
        event.add("description", f"{contract.en}\n自 {one.opens} 起可报。依据：{one.basis}")
        event.add("categories", ["报送"])
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", f"三天后截止：{contract.zh}")
        alarm.add("trigger", _REMINDED)
        event.add_component(alarm)
        yield event


def _published(settings: Settings, snapshot: Snapshot) -> Iterator[Event]:
    for number in releases.numbers(settings.releases):
        release = releases.find(settings, number)
        if release is None or release.is_draft or number > snapshot.release.number:
            continue
        at = datetime.fromisoformat(release.manifest["published_at"])
        event = Event()
        event.add("uid", f"release-{number}@{settings.site}")
        event.add("dtstamp", at)
        event.add("dtstart", at)
        event.add("summary", f"数据发布：第 {number} 版（截至 {release.manifest['as_of_date']}）")
        event.add("categories", ["发布"])
        event.add("transp", "TRANSPARENT")
        yield event
