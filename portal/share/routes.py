"""Delta Sharing: shares, schemas, tables, and files of one release, as the caller's scope may see them.

One share for the site, one schema, the tables of the caller's file. A table's version is the number of its
release, so that a reader of one version has rows of one release. What is not offered is refused in words.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from jobs.access.caller import Role, Scope
from portal import selection
from portal.access.gate import EVERYBODY, Keeper, opened_to, taking
from portal.asked import Asked, OneAsked, pinned, problems_told
from portal.downloads import Download, Downloads
from portal.problems import ProblemError
from portal.replies import API
from portal.selection import Selection
from portal.share import parquet
from portal.share.links import SECONDS, Links, Part

PREFIX = f"{API}/delta-sharing"
SCHEMA = "marts"
READERS = (Role.SCHOOL, Role.DISTRICT, Role.CITY, Role.STEWARD)
_MOST_BODY = 64 * 1024
_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
router = APIRouter(prefix=PREFIX, tags=["delta-sharing"], responses={**problems_told(403, 404, 422, 503)})

_NO = "不支持 Not offered: refused in words."
MostResults = Annotated[
    int | None, Query(ge=0, alias="maxResults", description="每页至多几项 Most of one page.")
]
PageToken = Annotated[
    str | None,
    Query(alias="pageToken", pattern=r"^\d{1,9}$", description="上一页的 nextPageToken From there."),
]


class Question(BaseModel):
    """What a reader asks of a table. Hints on predicates may be ignored: the reader filters again."""

    predicateHints: list[str] | None = None  # noqa: N815  # the protocol's names
    jsonPredicateHints: str | None = None  # noqa: N815
    limitHint: int | None = None  # noqa: N815
    version: int | None = None
    timestamp: str | None = None
    startingVersion: int | None = None  # noqa: N815
    endingVersion: int | None = None  # noqa: N815


def _items(items: list[dict[str, Any]], most: int | None, token: str | None) -> dict[str, Any]:
    first = int(token or 0)
    last = len(items) if most is None else first + most
    told: dict[str, Any] = {"items": items[first:last]}
    return told if last >= len(items) else {**told, "nextPageToken": str(last)}


def _check(asked: Asked, share: str, schema: str = SCHEMA) -> None:
    known = asked.request.app.state.settings.site
    if share.lower() != known or schema.lower() != SCHEMA:
        raise ProblemError(404, "unknown-share", "没有这个共享", f"there is {known}.{SCHEMA}")


@router.get("/shares", summary="可读取的共享", **opened_to(*READERS))
async def shares(asked: OneAsked, most: MostResults = None, token: PageToken = None) -> dict[str, Any]:
    """The shares: one for the site."""
    return _items([{"name": asked.request.app.state.settings.site}], most, token)


@router.get("/shares/{share}", summary="一个共享", **opened_to(*READERS))
async def one_share(asked: OneAsked, share: str) -> dict[str, Any]:
    """One share."""
    _check(asked, share)
    return {"share": {"name": share}}


@router.get("/shares/{share}/schemas", summary="共享中的模式", **opened_to(*READERS))
async def schemas(
    asked: OneAsked, share: str, most: MostResults = None, token: PageToken = None
) -> dict[str, Any]:
    """The schemas of a share: one."""
    _check(asked, share)
    return _items([{"name": SCHEMA, "share": share}], most, token)


@router.get("/shares/{share}/all-tables", summary="共享中的全部数据表", **opened_to(*READERS))
async def all_tables(
    asked: OneAsked, share: str, most: MostResults = None, token: PageToken = None
) -> dict[str, Any]:
    """Every table of a share that the caller may see."""
    return await tables(asked, share, SCHEMA, most, token)


@router.get("/shares/{share}/schemas/{schema}/tables", summary="模式中的数据表", **opened_to(*READERS))
async def tables(
    asked: OneAsked, share: str, schema: str, most: MostResults = None, token: PageToken = None
) -> dict[str, Any]:
    """The tables of a schema that the caller may see."""
    _check(asked, share, schema)
    names = await run_in_threadpool(selection.tables, asked.snapshot, asked.scope)
    where = {"schema": SCHEMA, "share": share}
    return _items([{"name": name, **where, "id": _id(share, name)} for name in names], most, token)


@router.get(
    "/shares/{share}/schemas/{schema}/tables/{table}/version", summary="数据表的版本", **opened_to(*READERS)
)
async def version(
    asked: OneAsked,
    share: str,
    schema: str,
    table: str,
    since: Annotated[str | None, Query(alias="startingTimestamp", description=_NO)] = None,
) -> Response:
    """The version of a table: the number of the release."""
    _check(asked, share, schema)
    if since is not None:
        raise _refused("startingTimestamp", "a version is the number of a release: name it by `version`")
    selection.select(asked.snapshot, asked.scope, table)
    return Response(headers=_headers(asked))


@router.get(
    "/shares/{share}/schemas/{schema}/tables/{table}/metadata", summary="数据表的字段", **opened_to(*READERS)
)
async def metadata(asked: OneAsked, share: str, schema: str, table: str) -> Response:
    """The columns of a table."""
    _check(asked, share, schema)
    lines = await run_in_threadpool(_metadata, asked, share, table)
    return _lines(asked, lines)


@router.post(
    "/shares/{share}/schemas/{schema}/tables/{table}/query",
    summary="数据表的文件",
    **taking(_MOST_BODY, *READERS),
)
async def query(
    request: Request, asked: OneAsked, share: str, schema: str, table: str, question: Question
) -> Response:
    """Links to the files of a table, good for some minutes. All are of one release."""
    _check(asked, share, schema)
    if question.timestamp is not None:
        raise _refused("timestamp", "a version is the number of a release: name it by `version`")
    if question.startingVersion is not None or question.endingVersion is not None:
        raise _refused("startingVersion", "rows added between versions are not told: read each version")
    wanted = request.headers.get("delta-sharing-capabilities", "").lower()
    if "responseformat=delta" in wanted and "parquet" not in wanted:
        raise _refused("responseformat=delta", "files come in the format parquet: `use_delta_format=False`")
    if question.version is not None:
        asked = await asked.of(question.version)
    lines = await run_in_threadpool(_metadata, asked, share, table)
    until, by = time.time() + SECONDS, asked.caller.subject
    for part in await run_in_threadpool(lambda: [*_parts(asked, table, question.limitHint)]):
        file = await _file(request, part)
        link = request.app.state.links.made(part, until, by)
        told = {
            "url": f"{str(request.base_url).rstrip('/')}{PREFIX}/files/{link}",
            "id": part.key,
            "partitionValues": {},
            "size": file.size,
            "expirationTimestamp": int(until * 1000),
        }
        lines.append({"file": told})
    return _lines(asked, lines)


@router.get(
    "/shares/{share}/schemas/{schema}/tables/{table}/changes",
    summary="变更数据（未提供）",
    **opened_to(*READERS),
)
async def changes(
    share: str,
    schema: str,
    table: str,
    starting: Annotated[str | None, Query(alias="startingVersion", description=_NO)] = None,
    ending: Annotated[str | None, Query(alias="endingVersion", description=_NO)] = None,
    since: Annotated[str | None, Query(alias="startingTimestamp", description=_NO)] = None,
    until: Annotated[str | None, Query(alias="endingTimestamp", description=_NO)] = None,
    historical: Annotated[str | None, Query(alias="includeHistoricalMetadata", description=_NO)] = None,
) -> Response:
    """Refused: changes between versions are not offered."""
    raise _refused("changes", f"two versions can be read and compared; `{API}/release` says what changed")


@router.get("/files/{token}", summary="共享的文件", response_class=Response, **opened_to(*EVERYBODY))
async def file(request: Request, token: str) -> Response:
    """A file of a link that a query gave, whole or a range of its bytes."""
    links: Links = request.app.state.links
    keeper: Keeper = request.app.state.keeper
    part, by = links.read(token)
    if not await run_in_threadpool(keeper.knows, by):
        raise ProblemError(
            403, "link-withdrawn", "下载链接已失效", "the key that asked for it is not good any more"
        )
    made = await _file(request, part)
    headers = {
        "etag": f'"{part.key}"',
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "x-data-release": str(part.release),
    }
    begin, end = 0, made.size
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked and asked[0] != "bytes=-":
        begin = int(asked[1]) if asked[1] else max(0, made.size - int(asked[2]))
        end = min(made.size, int(asked[2]) + 1) if asked[1] and asked[2] else made.size
        if begin >= end:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{made.size}"})
        headers["content-range"] = f"bytes {begin}-{end - 1}/{made.size}"
    headers["content-length"] = str(end - begin)
    return StreamingResponse(
        _pieces(made, begin, end),
        206 if "content-range" in headers else 200,
        headers,
        "application/vnd.apache.parquet",
    )


async def _file(request: Request, part: Part) -> Download:
    downloads: Downloads = request.app.state.downloads
    shelf = request.app.state.library.shelf(part.audience)
    snapshot = await run_in_threadpool(pinned, shelf, part.release)
    chosen = selection.select(snapshot, Scope(part.audience, part.school_code), part.table)
    return await downloads.get(
        f"share {part.key}", lambda out: parquet.write(chosen, part.first, part.last, out)
    )


def _parts(asked: Asked, table: str, limit: int | None) -> Iterator[Part]:
    """The parts that a reader needs who wants at most `limit` rows."""
    scope, snapshot = asked.scope, asked.snapshot
    chosen = selection.select(snapshot, scope, table)
    rows = int(snapshot.tables[table]["rows"])
    asked.request.state.rows = chosen.count() if limit is None else min(chosen.count(), limit)
    size = rows if chosen.conditions else parquet.PART_ROWS
    last = rows if limit is None or chosen.conditions else min(rows, limit)
    for first in range(0, last, size or 1):
        yield Part(
            snapshot.release.number,
            scope.audience,
            scope.school_code,
            table,
            first,
            min(first + size, rows),
        )


def _metadata(asked: Asked, share: str, table: str) -> list[dict[str, Any]]:
    chosen: Selection = selection.select(asked.snapshot, asked.scope, table)
    told = parquet.in_spark(chosen, parquet.schema(chosen))
    about = {
        "id": _id(share, table),
        "name": table,
        "description": chosen.told["title_zh"] or chosen.told["title_en"],
        "format": {"provider": "parquet"},
        "schemaString": orjson.dumps(told).decode(),
        "partitionColumns": [],
        "configuration": {},
    }
    return [{"protocol": {"minReaderVersion": 1}}, {"metaData": about}]


def _lines(asked: Asked, lines: list[dict[str, Any]]) -> Response:
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    return Response(body, headers=_headers(asked), media_type="application/x-ndjson; charset=utf-8")


def _headers(asked: Asked) -> dict[str, str]:
    number = str(asked.snapshot.release.number)
    return {"delta-table-version": number, "x-data-release": number, "cache-control": "private, no-store"}


def _id(share: str, table: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:edulake:{share}:{table}"))


def _refused(what: str, way_out: str) -> ProblemError:
    return ProblemError(400, "not-offered", f"不支持 {what}", f"{what} is not offered: {way_out}")


def _pieces(made: Download, at: int, end: int) -> Iterator[bytes]:
    while at < end and (piece := os.pread(made.file.fileno(), min(_PIECE, end - at), at)):
        at += len(piece)
        yield piece
