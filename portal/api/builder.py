"""The table builder, and permanent links to what it built."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.access.caller import Role
from jobs.access.store import open_store
from portal import builder, parameters, permalinks, replies
from portal.access.gate import EVERYBODY, opened_to, taking
from portal.access.keeper import address
from portal.asked import Asked, OneAsked, problems_told
from portal.models import Cells, CellsQuestion, Options, PermalinkMade, Problem
from portal.permalinks import FullError, Permalink, Permalinks
from portal.problems import ProblemError
from portal.replies import API
from portal.resources import told
from portal.selection import check_version, select
from portal.snapshot import Snapshot

router = APIRouter(prefix=API, responses={**problems_told(422, 503, 504)})
_RULE = opened_to(*EVERYBODY)
_BODY = 64 * 1024
# Links a second, and at once, that an address of the public may have kept, and somebody who is known.
_BY_PUBLIC = (0.05, 30.0)
_BY_KNOWN = (1.0, 120.0)


def _listed(name: str, zh: str, en: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": f"{zh} {en}"}


_OWN = [
    _listed("measures", "指标，以逗号分隔。", "Measures, with commas."),
    _listed("rows", "行上的维度，以逗号分隔。", "Keys of the rows, with commas."),
    _listed("columns", "列上的维度，以逗号分隔。", "Keys of the columns, with commas."),
    *(one for one in parameters.plain() if one["name"] == "table_version"),
    parameters.any_column(),
]
_OPEN: dict[str, Any] = {
    "dependencies": _RULE["dependencies"],
    "openapi_extra": {**_RULE["openapi_extra"], **told(""), "parameters": _OWN},
    "tags": ["builder"],
    "responses": {**problems_told(404, 409, 410, 413)},
}


@router.get("/tables/{name}/cells", summary="制表：按所选指标、行、列取单元格", response_model=Cells, **_OPEN)
async def cells(request: Request, asked: OneAsked, name: str) -> Response:
    """Released cells of a table by measures, rows and columns. What is suppressed stays so."""
    return await _answered(request, asked, name, "cells")


@router.get("/tables/{name}/options", summary="制表：还可以选什么", response_model=Options, **_OPEN)
async def options(request: Request, asked: OneAsked, name: str) -> Response:
    """Of each key the values that exist together with what is chosen, and which measures can be shown."""
    return await _answered(request, asked, name, "options")


async def _answered(request: Request, asked: Asked, name: str, part: str) -> Response:
    words = sorted(request.scope["query_string"].decode("latin-1").split("&"))

    def made(of: Snapshot) -> bytes:
        choice = builder.choice_of(request.query_params.multi_items())
        check_version(select(of, asked.scope, name), request.query_params.get("table_version", ""))
        build = builder.cells if part == "cells" else builder.options
        return replies.written(of, build(of, asked.scope, name, choice))

    return await asked.answer(f"{API}/tables/{name}/{part}?{'&'.join(words)}", made)


@router.post(
    "/permalinks",
    summary="为所制的表生成永久链接",
    status_code=201,
    response_model=PermalinkMade,
    tags=["builder"],
    responses={**problems_told(404, 410, 413, 429, 507)},
    **taking(_BODY, *EVERYBODY),
)
async def make_permalink(request: Request, asked: OneAsked, question: CellsQuestion) -> Response:
    """Keep a built table as it is now. Of a public table everybody may open it; else who sees the same."""
    if asked.caller.role == Role.PUBLIC:
        _links(request).limits.ask(address(request), *_BY_PUBLIC)
    else:
        _links(request).limits.ask(asked.caller.subject, *_BY_KNOWN)
    pairs = [
        (name, text)
        for name, texts in sorted(question.filters.items())
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    choice = builder.Choice(
        tuple(question.measures), tuple(question.rows), tuple(question.columns), tuple(pairs)
    )
    link = await run_in_threadpool(_kept, request, asked, question, choice)
    is_public = link.scope == permalinks.PUBLIC
    href = f"{API}/permalinks/{link.id}"
    made = PermalinkMade(
        id=link.id,
        href=href,
        release=link.release,
        made_at=link.made_at,
        is_public=is_public,
        synthetic=asked.snapshot.is_synthetic,
    )
    headers = {"location": href, "x-data-release": str(link.release)}
    return Response(made.model_dump_json(), 201, headers, media_type="application/json")


def _kept(request: Request, asked: Asked, question: CellsQuestion, choice: builder.Choice) -> Permalink:
    snapshot = asked.snapshot
    body = replies.written(snapshot, builder.cells(snapshot, asked.scope, question.table, choice))
    is_public = bool(snapshot.tables[question.table].get("public"))
    scope = permalinks.PUBLIC if is_public else asked.scope.tag
    words = orjson.dumps(question.model_dump(), option=orjson.OPT_SORT_KEYS).decode()
    links = _links(request)
    try:
        link = links.keep(scope, snapshot.release.number, words, body)
    except FullError as error:
        raise ProblemError(
            507, "no-room-for-links", "永久链接已存满或表太大", "no room: build a smaller table"
        ) from error
    request.app.state.trail.write(
        asked.caller, "permalink made", link.id, {"table": question.table, "release": link.release}
    )
    return link


@router.get(
    "/permalinks/{link}",
    summary="打开永久链接：与生成时完全相同",
    response_model=Cells,
    tags=["builder"],
    responses={404: {"model": Problem}},
    **opened_to(*EVERYBODY),
)
async def permalink(
    request: Request,
    asked: OneAsked,
    link: Annotated[str, Path(pattern=r"^[a-z2-7]{16}$")],
) -> Response:
    """The table as it was when the link was made, whatever release is served or kept now."""
    found = await run_in_threadpool(lambda: _links(request).find(link))
    if found is None or found.scope not in (permalinks.PUBLIC, asked.scope.tag):
        raise ProblemError(
            404,
            "unknown-permalink",
            "没有这个永久链接，或您无权查看",
            "no such link, or it is open to others only",
        )
    response = asked.respond(found.body, f'"{hashlib.sha256(found.body).hexdigest()[:16]}"')
    response.headers["x-data-release"] = str(found.release)
    return response


def _links(request: Request) -> Permalinks:
    state = request.app.state
    if not hasattr(state, "permalinks"):
        state.permalinks = Permalinks(open_store(state.settings))
    links: Permalinks = state.permalinks
    return links
