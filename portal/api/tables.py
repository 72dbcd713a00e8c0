"""Tables of the release: what they are, and their rows page by page or as a file."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from portal import parameters, replies, selection
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import OneAsked, problems_told
from portal.models import Table, Tables
from portal.query import respond
from portal.replies import API
from portal.resources import FILES, told

router = APIRouter(prefix=API, responses={**problems_told(422, 503, 504)})


@router.get("/tables", summary="全部数据表", response_model=Tables, tags=["tables"], **opened_to(*EVERYBODY))
async def tables(asked: OneAsked) -> Response:
    """Every table of the release that is open to the caller."""
    return await asked.answer("tables", lambda of: replies.tables(of, selection.tables(of, asked.scope)))


_RULE = opened_to(*EVERYBODY)
_PARAMETERS = [*parameters.plain(), parameters.any_column()]


@router.get(
    "/tables/{name}",
    summary="一张数据表：字段与数据，可筛选、排序、分页或下载",
    response_model=Table,
    tags=["tables"],
    responses={200: {"content": FILES}, **problems_told(404, 406, 409, 410, 413)},
    dependencies=_RULE["dependencies"],
    openapi_extra={**_RULE["openapi_extra"], **told(""), "parameters": _PARAMETERS},
)
async def table(request: Request, asked: OneAsked, name: str) -> Response:
    """Columns with their meaning, and rows page by page; pages of one cursor never mix releases."""
    return await respond(asked, name, request)
