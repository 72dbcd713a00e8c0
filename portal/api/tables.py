"""Tables of the release: what they are, and their rows page by page or as a file."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from portal import csv_file, replies
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import Asked, OneAsked, pinned, problems_told
from portal.downloads import Downloads
from portal.models import Problem, Table, Tables
from portal.problems import ProblemError
from portal.replies import API

MOST_ROWS = 1000
router = APIRouter(prefix=API, responses={**problems_told(422, 503, 504)})


@router.get("/tables", summary="全部数据表", response_model=Tables, tags=["tables"], **opened_to(*EVERYBODY))
async def tables(asked: OneAsked) -> Response:
    """Every table of the release."""
    return await asked.answer("tables", replies.tables)


@router.get(
    "/tables/{name}",
    summary="一张数据表：字段与数据，可分页或下载",
    response_model=Table,
    tags=["tables"],
    responses={
        200: {"content": {"text/csv": {}}},
        404: {"model": Problem},
        410: {"model": Problem, "description": "The release of this page is kept no longer"},
    },
    **opened_to(*EVERYBODY),
)
async def table(
    request: Request,
    asked: OneAsked,
    name: str,
    limit: Annotated[
        int | None, Query(ge=1, le=MOST_ROWS, description="JSON: 100 if not given; CSV: the whole table.")
    ] = None,
    cursor: Annotated[
        str | None, Query(pattern=r"^\d{1,9}-\d{1,18}$", description="From `next`: stays in its release.")
    ] = None,
    output: Annotated[
        Literal["json", "csv"], Query(alias="format", description="CSV opens in Excel as it is.")
    ] = "json",
    header: Annotated[
        Literal["name", "zh"], Query(description="CSV: column names, or their Chinese titles.")
    ] = "name",
) -> Response:
    """Columns with their meaning, and rows page by page; pages of one cursor never mix releases."""
    number, start = (int(part) for part in cursor.split("-")) if cursor else (None, 0)
    if number is not None:
        shelf = request.app.state.library.shelf(asked.scope.audience)
        snapshot = await run_in_threadpool(pinned, shelf, number)
        asked = Asked(request, asked.caller, asked.scope, snapshot)
    if name not in asked.snapshot.tables:
        raise ProblemError(404, "unknown-table", "没有这张表", f"{name} is not in {API}/tables")
    if output == "csv":
        return await _csv(asked, name, start, limit, header)
    # The key names all that the reply depends on, whatever order or spelling the query had.
    size = limit or 100
    response = await asked.answer(
        f"table/{name}/{start}/{size}", lambda of: replies.page(of, name, start, size)
    )
    following = replies.next_page(asked.snapshot, name, start, size)
    if following:
        response.headers["link"] = f'<{following}>; rel="next"'
    return response


async def _csv(asked: Asked, name: str, start: int, limit: int | None, header: str) -> Response:
    snapshot = asked.snapshot
    etag = csv_file.etag(snapshot, name, header)
    headers = {**asked.headers(etag), "content-disposition": csv_file.disposition(snapshot, name)}
    if asked.is_known(etag):
        return Response(status_code=304, headers=headers)
    downloads: Downloads = asked.request.app.state.downloads
    key = f"{etag} {start} {limit}"
    file = await downloads.get(key, lambda out: csv_file.write(snapshot, name, start, limit, header, out))
    headers["content-length"] = str(file.size)
    return StreamingResponse(file.pieces(), media_type="text/csv; charset=utf-8", headers=headers)
