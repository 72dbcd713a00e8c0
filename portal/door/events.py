"""What people write: states of alerts, closings of hazards, scenarios, corrections, comments.

    POST -> the caller's scope (else 404) -> the rules of a run -> audit line -> landing -> 201
    GET  -> rows of the release, and beside them what waits for the next one

The same write sent again is answered with 200 and the first one's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from jobs.access.caller import Caller, Role
from jobs.ingest.events import Landed
from jobs.settings import UserError
from portal import filters, query
from portal.access.gate import EVERYBODY, OFFICIALS, SIGNED_IN, opened_to, taking
from portal.access.keeper import address
from portal.asked import Asked, OneAsked, problems_told
from portal.door.models import Comment, Correction, HazardClosing, Scenario, StateOfAlert, Told, WrittenRows
from portal.door.writes import PENDING, PUBLIC_BURST, PUBLIC_PER_SECOND, SHOWN, Closing, Step, Writes, Written
from portal.problems import ProblemError
from portal.replies import API

router = APIRouter(
    prefix=API,
    tags=["writes"],
    responses={**problems_told(401, 403, 404, 409, 422, 429, 503)},
    default_response_class=Response,
)

_WRITERS = (Role.SCHOOL, *OFFICIALS)
_BYTES = 16 * 1024
# Columns of direct identifiers, and those that only landing has.
_UNTOLD = frozenset({"contact_text", "handler_name", "reviewer_name"})
_MOST_ROWS = 1000

_AGAIN: dict[int | str, dict[str, Any]] = {200: {"model": Told, "description": "Written before"}}
Key = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=200, description="Names this write for ever.")
]
Limit = Annotated[int, Query(ge=1, le=_MOST_ROWS, description="How many rows at most.")]
OfTable = Annotated[str | None, Query(description="Only comments about this table.")]


@router.post(
    "/safety/alerts/{alert_id}/states",
    summary="预警处置：已阅、已处置、误报",
    response_model=Told,
    status_code=201,
    responses=_AGAIN,
    **taking(_BYTES, *_WRITERS),
)
def state_alert(
    request: Request, asked: OneAsked, alert_id: str, body: StateOfAlert, key: Key = None
) -> Response:
    """State that an alert is seen, handled or false; `reopen` with `seen` opens a closed one again."""
    alert = _one(asked, "fct_safety_alert", {"alert_id": alert_id})
    step = Step(body.state, body.note, body.reopen)
    return _answer(_writes(request).put_state(asked.caller, alert, step, _versions(asked), key or ""))


@router.get(
    "/safety/alerts/{alert_id}/states",
    summary="预警的处置记录",
    response_model=WrittenRows,
    **opened_to(*_WRITERS),
)
def states_of_alert(request: Request, asked: OneAsked, alert_id: str) -> Response:
    """What was written in the portal about an alert, and its state with what waits."""
    alert, writes = _one(asked, "fct_safety_alert", {"alert_id": alert_id}), _writes(request)
    written = writes.states(alert_id)
    rows = [_pending_row(writes.written(one, _versions(asked))) for one in written]
    return _listed(asked, rows, {"alert_state": writes.state_of(alert, written, _versions(asked))})


@router.post(
    "/safety/hazards/{hazard_key}/closings",
    summary="隐患销号",
    response_model=Told,
    status_code=201,
    responses=_AGAIN,
    **taking(_BYTES, *_WRITERS),
)
def close_hazard(
    request: Request, asked: OneAsked, hazard_key: str, body: HazardClosing, key: Key = None
) -> Response:
    """State that a hazard is mended. Its key is `<school_code>|<hazard_code>`, as in the inbox."""
    hazard, writes = _hazard(asked, hazard_key), _writes(request)
    if (body.hazard_done_date or writes.today()) > writes.today():
        raise filters.wrong("hazard_done_date", "不能晚于今天", "must not be after today")
    closing = Closing(body.hazard_done_date, body.note)
    return _answer(writes.put_closing(asked.caller, hazard, closing, _versions(asked), key or ""))


@router.get(
    "/safety/hazards/{hazard_key}/closings",
    summary="隐患的销号记录",
    response_model=WrittenRows,
    **opened_to(*_WRITERS),
)
def closings_of_hazard(request: Request, asked: OneAsked, hazard_key: str) -> Response:
    """The closings of a hazard that were written in the portal."""
    hazard, writes = _hazard(asked, hazard_key), _writes(request)
    written = writes.closings(hazard["school_code"], hazard["hazard_code"])
    rows = [_pending_row(writes.written(one, _versions(asked))) for one in written]
    return _listed(asked, rows, {"hazard_status_code": hazard["hazard_status_code"]})


@router.post(
    "/places/scenarios",
    summary="保存学位方案",
    response_model=Told,
    status_code=201,
    responses=_AGAIN,
    **taking(_BYTES, *OFFICIALS),
)
def save_scenario(request: Request, asked: OneAsked, body: Scenario, key: Key = None) -> Response:
    """Save levers under a name, for everybody of the caller's district, or of the city."""
    # Its libraries take longer to load than all the rest of the portal.
    from jobs.decide.places import scenario

    own = asked.caller.unit_code if asked.caller.role == Role.DISTRICT else ""
    for text in body.levers:
        try:
            lever = scenario.parse(text)
        except UserError as error:
            raise filters.wrong("levers", error.message, f"{error.message} {error.way_out}") from error
        if own and {lever.words.get("district", own), lever.words.get("to", own)} != {own}:
            raise ProblemError(403, "not-in-scope", "方案只能涉及本区", "a lever names another district")
    row = {
        "district_code": own,
        "scenario_name": body.name,
        "scenario_levers": json.dumps(body.levers, ensure_ascii=False),
        "scenario_note": body.note,
    }
    return _text(request, asked, "saved_scenario", row, key)


@router.get("/places/scenarios", summary="已存学位方案", response_model=WrittenRows, **opened_to(*OFFICIALS))
def scenarios(request: Request, asked: OneAsked, limit: Limit = 100) -> Response:
    """The scenarios of the caller's scope, the newest first, with those that wait."""
    return _rows(request, asked, "saved_scenario", {}, limit)


@router.get(
    "/places/scenarios/saved/{write_id}",
    summary="一个学位方案",
    response_model=WrittenRows,
    **opened_to(*OFFICIALS),
)
def one_scenario(request: Request, asked: OneAsked, write_id: str) -> Response:
    """One scenario by its id, for a link: whoever's scope it is in."""
    found = _found(request, asked, "saved_scenario", {"write_id": write_id}, 1)
    if not found:
        raise ProblemError(404, "unknown-scenario", "没有这个方案", "no scenario of your scope has this id")
    return _listed(asked, found)


@router.post(
    "/corrections",
    summary="数据纠错",
    response_model=Told,
    status_code=201,
    responses=_AGAIN,
    **taking(_BYTES, *EVERYBODY),
)
def ask_for_correction(request: Request, asked: OneAsked, body: Correction, key: Key = None) -> Response:
    """Say what is wrong with a table, a row, a column or a page. How to reach the writer stays with the
    steward.
    """
    if asked.caller.role == Role.PUBLIC:
        name = f"correction {address(request)}"
        _writes(request).limits.ask(name, PUBLIC_PER_SECOND, PUBLIC_BURST)
    row = {
        **_about(asked, body.about_table, body.about_key, body.about_column),
        "about_page": body.about_page,
        "correction_text": body.text,
        "contact_text": body.contact,
    }
    return _text(request, asked, "correction_request", row, key)


@router.get("/corrections", summary="纠错申请", response_model=WrittenRows, **opened_to(*SIGNED_IN))
def corrections(request: Request, asked: OneAsked, limit: Limit = 100) -> Response:
    """The requests of the caller's scope, the newest first, with those that wait; else his own."""
    return _rows(request, asked, "correction_request", {}, limit)


@router.post(
    "/comments",
    summary="数据批注",
    response_model=Told,
    status_code=201,
    responses=_AGAIN,
    **taking(_BYTES, *_WRITERS),
)
def comment(request: Request, asked: OneAsked, body: Comment, key: Key = None) -> Response:
    """Comment on a figure: a table, of it a row and a column."""
    row = {
        **_about(asked, body.about_table, body.about_key, body.about_column),
        "comment_text": body.text,
    }
    return _text(request, asked, "figure_comment", row, key)


@router.get("/comments", summary="批注", response_model=WrittenRows, **opened_to(*_WRITERS))
def comments(request: Request, asked: OneAsked, about_table: OfTable = None, limit: Limit = 100) -> Response:
    """The comments of the caller's scope (of one table), the newest first, with those that wait."""
    return _rows(request, asked, "figure_comment", {"about_table": about_table} if about_table else {}, limit)


def _writes(request: Request) -> Writes:
    writes: Writes = request.app.state.writes
    return writes


def _versions(asked: Asked) -> Mapping[str, int]:
    """The version of each clean table that the caller's release shows."""
    versions: Mapping[str, int] = asked.snapshot.release.manifest["inputs"]
    return versions


def _one(asked: Asked, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a key that the caller may see. Raises ProblemError where there is none."""
    found = query.rows(asked, table, key, limit=1)
    if not found:
        raise ProblemError(404, "unknown-row", "没有这一行", f"{table} has no such row in your scope")
    return found[0]


def _hazard(asked: Asked, key: str) -> dict[str, Any]:
    school, _, code = key.partition("|")
    return _one(asked, "fct_safety_hazard", {"school_code": school, "hazard_code": code})


def _about(asked: Asked, table: str, key: Mapping[str, Any], column: str) -> dict[str, Any]:
    """What a text is about, as far as the caller may see it, and the district that it concerns.

    Raises ProblemError for a table, a row or a column that he may not see.
    """
    caller = asked.caller
    own = caller.unit_code if caller.role == Role.DISTRICT else caller.district_code
    if not table:
        return {"district_code": own}
    told = asked.snapshot.tables.get(table)
    if told and told.get("pupil_rows"):
        raise filters.wrong("about_table", "不能指单个学生的数据", "must not be a table of single pupils")
    scope = told["scope"] if told and told["scope"] != "city" else ""
    fields = tuple(dict.fromkeys(name for name in (column, scope) if name))
    found = query.rows(asked, table, _equal(key), fields=fields, limit=1)
    if key and not found:
        raise ProblemError(404, "unknown-row", "没有这一行", f"{table} has no such row in your scope")
    of_row = found[0].get(scope) if key and scope else None
    return {
        "about_table": table,
        "about_key": json.dumps(dict(key), ensure_ascii=False, sort_keys=True) if key else "",
        "about_column": column,
        "about_release": asked.snapshot.release.number,
        "district_code": own or of_row or "",
    }


def _equal(key: Mapping[str, Any]) -> dict[str, Any]:
    for name in key:
        if "__" in name:
            raise filters.wrong("about_key", "只能写列名和值", "must name columns and their values")
    return dict(key)


def _text(request: Request, asked: Asked, dataset: str, row: Mapping[str, Any], key: str | None) -> Response:
    given = {"about_release": asked.snapshot.release.number, **row}
    return _answer(_writes(request).put_text(asked.caller, dataset, given, _versions(asked), key or ""))


def _answer(written: Written) -> Response:
    return Response(orjson.dumps(written.told), 201 if written.is_new else 200, media_type="application/json")


def _rows(request: Request, asked: Asked, dataset: str, own: Mapping[str, Any], limit: int) -> Response:
    return _listed(asked, _found(request, asked, dataset, own, limit))


def _found(
    request: Request, asked: Asked, dataset: str, own: Mapping[str, Any], limit: int
) -> list[dict[str, Any]]:
    """Rows of the caller's scope: those that wait, then the release's, each newest first. Who has no file
    with such rows sees his own.
    """
    writes, table = _writes(request), f"fct_{dataset}"
    is_official = asked.caller.role in OFFICIALS
    mine = "" if is_official else writes.key_of(asked.caller)
    waiting = []
    for one in reversed(writes.events.landed(dataset)):
        written = writes.written(one, _versions(asked))
        if all(one.row.get(name) == value for name, value in own.items()) and (
            _in_scope(asked.caller, one) and written.is_pending if is_official else _is_own(one, mine)
        ):
            waiting.append(_pending_row(written))
    shown = []
    if is_official and len(waiting) < limit and table in asked.snapshot.tables:
        shown = query.rows(asked, table, own, sort="-written_time", limit=limit - len(waiting))
    return [*waiting[:limit], *({**row, "is_pending": False, "state_zh": SHOWN} for row in shown)]


def _in_scope(caller: Caller, one: Landed) -> bool:
    return caller.role != Role.DISTRICT or one.row.get("district_code") == caller.unit_code


def _is_own(one: Landed, writer_key: str) -> bool:
    return bool(writer_key) and one.row.get("writer_key") == writer_key


def _pending_row(written: Written) -> dict[str, Any]:
    row = {name: value for name, value in written.event.row.items() if name not in _UNTOLD}
    told = written.told
    return {"write_id": told["id"], **row, **{name: told[name] for name in ("is_pending", "state_zh")}}


def _listed(asked: Asked, rows: list[dict[str, Any]], more: Mapping[str, Any] | None = None) -> Response:
    waiting = sum(row["is_pending"] for row in rows)
    body = {
        "release": asked.snapshot.release.number,
        "synthetic": asked.snapshot.is_synthetic,
        "pending_count": waiting,
        "pending_zh": PENDING if waiting else None,
        **(more or {}),
        "rows": rows,
    }
    asked.request.state.rows = len(rows)
    return Response(
        orjson.dumps(body, default=str),
        media_type="application/json",
        headers={"x-data-release": str(asked.snapshot.release.number), "cache-control": "private, no-store"},
    )
