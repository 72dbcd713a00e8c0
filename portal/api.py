"""The routes of `/api/v1`: each takes one snapshot of the release and answers from it alone."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from jobs.settings import UserError
from portal import csv_file, replies
from portal.downloads import Downloads
from portal.models import Cards, Health, Platforms, Problem, ReleaseInfo, Table, Tables
from portal.problems import ProblemError
from portal.replies import API
from portal.snapshot import NoReleaseError, ReleaseGoneError, Shelf, Snapshot

MOST_ROWS = 1000

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in (422, 503, 504)
}
router = APIRouter(prefix=API, responses=_PROBLEMS)


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf


async def _current(shelf: Annotated[Shelf, Depends(_shelf)]) -> Snapshot:
    try:
        snapshot = shelf.unchanged()
        return snapshot if snapshot is not None else await run_in_threadpool(shelf.current)
    except NoReleaseError as error:
        raise _no_release(shelf) from error


OneShelf = Annotated[Shelf, Depends(_shelf)]
Current = Annotated[Snapshot, Depends(_current)]


@router.get("/release", summary="当前发布版本", response_model=ReleaseInfo, tags=["release"])
async def release(request: Request, snapshot: Current) -> Response:
    """The release that is served."""
    noted = await run_in_threadpool(replies.notes, snapshot)
    key = f"release, {len(noted)} notes"
    reply = await run_in_threadpool(snapshot.reply, key, lambda asked: replies.release_info(asked, noted))
    return _respond(request, snapshot, reply.body, reply.etag)


@router.get("/cards", summary="四项决策服务的指标卡", response_model=Cards, tags=["services"])
async def cards(request: Request, snapshot: Current) -> Response:
    """One card for each decision service: figure, definition, period, small chart."""
    return await _answer(request, snapshot, replies.cards)


@router.get("/platforms", summary="三个平台的数据表清单", response_model=Platforms, tags=["platforms"])
async def platforms(request: Request, snapshot: Current) -> Response:
    """The three platforms and the tables published on each."""
    return await _answer(request, snapshot, replies.platforms)


@router.get("/tables", summary="全部数据表", response_model=Tables, tags=["tables"])
async def tables(request: Request, snapshot: Current) -> Response:
    """Every table of the release."""
    return await _answer(request, snapshot, replies.tables)


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
)
async def table(
    request: Request,
    shelf: OneShelf,
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
    snapshot = await (_current(shelf) if number is None else run_in_threadpool(_pinned, shelf, number))
    if name not in snapshot.tables:
        raise ProblemError(404, "unknown-table", "没有这张表", f"{name} is not in {API}/tables")
    if output == "csv":
        return await _csv(request, snapshot, name, start, limit, header)
    # The key names all that the reply depends on, whatever order or spelling the query had.
    size = limit or 100
    page = await run_in_threadpool(
        snapshot.reply, f"table/{name}/{start}/{size}", lambda of: replies.page(of, name, start, size)
    )
    response = _respond(request, snapshot, page.body, page.etag)
    following = replies.next_page(snapshot, name, start, size)
    if following:
        response.headers["link"] = f'<{following}>; rel="next"'
    return response


@router.get(
    "/healthz",
    summary="服务状态",
    response_model=Health,
    tags=["release"],
    responses={503: {"model": Health}},
)
async def healthz(shelf: OneShelf) -> Response:
    """Whether a release is served, whether it is the one that CURRENT names, whether its file is whole."""
    try:
        snapshot = await _current(shelf)
    except ProblemError:
        health = Health(
            status="unreadable" if shelf.fault else "no_release",
            release=None,
            synthetic=shelf.is_synthetic,
            fault=shelf.fault,
        )
        return Response(health.model_dump_json(), 503, media_type="application/json")
    damage = await run_in_threadpool(shelf.damage)
    status: Literal["ok", "stale", "damaged"] = "damaged" if damage else "stale" if shelf.fault else "ok"
    health = Health(
        status=status,
        release=snapshot.release.number,
        synthetic=snapshot.is_synthetic,
        fault=damage or shelf.fault,
    )
    return Response(health.model_dump_json(), 503 if damage else 200, media_type="application/json")


def _no_release(shelf: Shelf) -> ProblemError:
    if shelf.fault:
        return _unreadable(f"the published release cannot be opened now: {API}/healthz says why")
    return ProblemError(
        503, "no-release", "尚未发布任何版本", "nothing is published yet; `./edulake run` makes a release"
    )


def _unreadable(detail: str) -> ProblemError:
    return ProblemError(503, "release-unreadable", "已发布的版本暂时无法打开", detail)


def _pinned(shelf: Shelf, number: int) -> Snapshot:
    try:
        return shelf.of(number)
    except NoReleaseError as error:
        raise _no_release(shelf) from error
    except ReleaseGoneError as error:
        raise ProblemError(
            410,
            "release-gone",
            "该版本已不再保留",
            f"release {number} is kept no longer: begin without a cursor",
        ) from error
    except UserError as error:
        raise _unreadable(f"release {number} is held by another program: ask again later") from error
    except KeyError as error:
        raise ProblemError(
            404, "unknown-release", "没有这个版本", f"release {number} was never published"
        ) from error


async def _answer(request: Request, snapshot: Snapshot, make: Callable[[Snapshot], bytes]) -> Response:
    key = make.__name__
    reply = snapshot.kept(key)
    if reply is None:
        reply = await run_in_threadpool(snapshot.reply, key, make)
    return _respond(request, snapshot, reply.body, reply.etag)


def _respond(request: Request, snapshot: Snapshot, body: bytes, etag: str) -> Response:
    headers = _version_headers(snapshot, etag)
    if _is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def _csv(
    request: Request, snapshot: Snapshot, name: str, start: int, limit: int | None, header: str
) -> Response:
    etag = csv_file.etag(snapshot, name, header)
    headers = {
        **_version_headers(snapshot, etag),
        "content-disposition": csv_file.disposition(snapshot, name),
    }
    if _is_known(request, etag):
        return Response(status_code=304, headers=headers)
    downloads: Downloads = request.app.state.downloads
    key = f"{etag} {start} {limit}"
    file = await downloads.get(key, lambda out: csv_file.write(snapshot, name, start, limit, header, out))
    headers["content-length"] = str(file.size)
    return StreamingResponse(file.pieces(), media_type="text/csv; charset=utf-8", headers=headers)


def _version_headers(snapshot: Snapshot, etag: str) -> dict[str, str]:
    return {
        "etag": etag,
        "x-data-release": str(snapshot.release.number),
        "cache-control": "private, no-cache",
    }


def _is_known(request: Request, etag: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return "*" in asked or etag in (tag.strip().removeprefix("W/") for tag in asked.split(","))
