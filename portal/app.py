"""The decision-services API and the one-stop portal, read only from the published release.

    releases/CURRENT -> Shelf -> Snapshot -> bytes kept by (release, audience, query) -> /api/v1/… -> the page

No business logic lives here: cards and lists are marts (`rpt_portal__…`), meanings come from the release's
manifest. The page, its charts and the API's own page are files of this package: nothing is asked of outside.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.publish import release as releases
from jobs.settings import Settings
from portal.models import Cards, Health, Platforms, Problem, ReleaseInfo, Table, Tables
from portal.snapshot import NoReleaseError, ReleaseGoneError, Shelf, Snapshot

API = "/api/v1"
STATIC = Path(__file__).parent / "static"
LOOPBACK = "127.0.0.1"
MOST_ROWS = 1000
CARDS = "rpt_portal__service_card"
ITEMS = "rpt_portal__platform_item"
PLATFORMS = {
    "management": ("教育公共管理", "Public management"),
    "services": ("教育公共服务", "Public services"),
    "resources": ("教育公共资源", "Public resources"),
}

_log = logging.getLogger(__name__)
_CSV_BATCH = 5000

_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass
class ProblemError(Exception):
    """Ends a request with a problem; becomes `application/problem+json`."""

    status: int
    kind: str
    title: str
    detail: str


def create_app(
    settings: Settings, audience: str = releases.CITY, hosts: tuple[str, ...] = (LOOPBACK, "localhost")
) -> FastAPI:
    """The application for one site and one audience; answers 503 until something is published.

    A request whose Host is none of `hosts` is refused: with no login, a page of another site must not be able
    to read along by pointing its own name at this machine.
    """
    shelf = Shelf(settings, audience)
    app = FastAPI(
        title=f"{settings.title_en} — edulake API",
        version="1",
        description="Decision services and published tables, read from one release at a time.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(_Guard, hosts=hosts)
    _tell_problems(app)
    app.include_router(_api(shelf))

    # HEAD too: that is how a browser or a monitor asks whether the page is there.
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    def api_page() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _api(shelf: Shelf) -> APIRouter:
    told: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in (422, 503)
    }
    api = APIRouter(prefix=API, responses=told)

    @api.get("/release", summary="当前发布版本", response_model=ReleaseInfo, tags=["release"])
    async def release(request: Request) -> Response:
        """The release that is served."""
        return await _answer(request, await _current(shelf), _release_info)

    @api.get("/cards", summary="四项决策服务的指标卡", response_model=Cards, tags=["services"])
    async def cards(request: Request) -> Response:
        """One card for each decision service: figure, definition, period, small chart."""
        return await _answer(request, await _current(shelf), _cards)

    @api.get("/platforms", summary="三个平台的数据表清单", response_model=Platforms, tags=["platforms"])
    async def platforms(request: Request) -> Response:
        """The three platforms and the tables published on each."""
        return await _answer(request, await _current(shelf), _platforms)

    @api.get("/tables", summary="全部数据表", response_model=Tables, tags=["tables"])
    async def tables(request: Request) -> Response:
        """Every table of the release."""
        return await _answer(request, await _current(shelf), _tables)

    @api.get(
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
            return _csv(request, snapshot, name, start, limit, header)
        # The key names all that the reply depends on, whatever order or spelling the query had.
        size = limit or 100
        page = await run_in_threadpool(
            snapshot.reply, f"table/{name}/{start}/{size}", lambda of: _page(of, name, start, size)
        )
        response = _respond(request, snapshot, page.body, page.etag)
        following = _next(snapshot, name, start, size)
        if following:
            response.headers["link"] = f'<{following}>; rel="next"'
        return response

    @api.get(
        "/healthz",
        summary="服务状态",
        response_model=Health,
        tags=["release"],
        responses={503: {"model": Health}},
    )
    async def healthz() -> Response:
        """Whether a release is served, and whether it is the one that CURRENT names."""
        try:
            snapshot = await _current(shelf)
        except ProblemError:
            health = Health(status="no_release", release=None, fault=shelf.fault)
            return Response(health.model_dump_json(), 503, media_type="application/json")
        status: Literal["ok", "stale"] = "stale" if shelf.fault else "ok"
        health = Health(status=status, release=snapshot.release.number, fault=shelf.fault)
        return Response(health.model_dump_json(), media_type="application/json")

    return api


async def _current(shelf: Shelf) -> Snapshot:
    try:
        snapshot = shelf.unchanged()
        return snapshot if snapshot is not None else await run_in_threadpool(shelf.current)
    except NoReleaseError as error:
        raise ProblemError(
            503, "no-release", "尚未发布任何版本", "nothing is published yet: ./edulake run makes a release"
        ) from error


def _pinned(shelf: Shelf, number: int) -> Snapshot:
    try:
        return shelf.of(number)
    except NoReleaseError as error:
        raise ProblemError(503, "no-release", "尚未发布任何版本", "nothing is published yet") from error
    except ReleaseGoneError as error:
        raise ProblemError(
            410,
            "release-gone",
            "该版本已不再保留",
            f"release {number} is kept no longer: begin without a cursor",
        ) from error
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


def _version_headers(snapshot: Snapshot, etag: str) -> dict[str, str]:
    return {
        "etag": etag,
        "x-data-release": str(snapshot.release.number),
        "cache-control": "private, no-cache",
    }


def _is_known(request: Request, etag: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return "*" in asked or etag in (tag.strip().removeprefix("W/") for tag in asked.split(","))


def _release_info(snapshot: Snapshot) -> bytes:
    told = snapshot.release.manifest
    fields = {name: told[name] for name in ReleaseInfo.model_fields if name in told}
    return _json({**fields, "audience": snapshot.audience, "table_count": len(snapshot.tables)})


def _cards(snapshot: Snapshot) -> bytes:
    rows = _rows(snapshot, f"select * from {CARDS} order by sort_order, service")
    for row in rows:
        row["series"] = orjson.loads(row.pop("series_json") or "[]")
    return _json({"release": snapshot.release.number, "cards": rows})


def _platforms(snapshot: Snapshot) -> bytes:
    shown = snapshot.tables
    lists: dict[str, list[dict[str, Any]]] = {platform: [] for platform in PLATFORMS}
    for row in _rows(snapshot, f"select * from {ITEMS} order by platform, sort_order, table_name"):
        row["href"] = f"{API}/tables/{row['table_name']}" if row["table_name"] in shown else None
        lists[row.pop("platform")].append(row)
    told = [
        {"platform": name, "title_zh": zh, "title_en": en, "items": lists[name]}
        for name, (zh, en) in PLATFORMS.items()
    ]
    return _json({"release": snapshot.release.number, "platforms": told})


def _tables(snapshot: Snapshot) -> bytes:
    told = [
        {
            "name": name,
            **{key: table[key] for key in ("title_zh", "title_en", "description", "platform")},
            "row_count": table["rows"],
            "column_count": len(table["columns"]),
            "href": f"{API}/tables/{name}",
        }
        for name, table in snapshot.tables.items()
    ]
    return _json({"release": snapshot.release.number, "tables": told})


def _page(snapshot: Snapshot, name: str, start: int, size: int) -> bytes:
    table = snapshot.tables[name]
    # The rows of a release file never move, so their own numbers are the key to page by.
    query = f"select * from {_quoted(name)} where rowid >= ? and rowid < ? order by rowid"
    return _json(
        {
            "release": snapshot.release.number,
            "name": name,
            **{key: table[key] for key in ("title_zh", "title_en", "description", "columns")},
            "row_count": table["rows"],
            "rows": _rows(snapshot, query, [start, start + size]),
            "next": _next(snapshot, name, start, size),
        }
    )


def _next(snapshot: Snapshot, name: str, start: int, size: int) -> str | None:
    if start + size >= snapshot.tables[name]["rows"]:
        return None
    return f"{API}/tables/{name}?limit={size}&cursor={snapshot.release.number}-{start + size}"


def _csv(
    request: Request, snapshot: Snapshot, name: str, start: int, limit: int | None, header: str
) -> Response:
    table = snapshot.tables[name]
    names = [column["name"] for column in table["columns"]]
    titles = [(header == "zh" and column["title_zh"]) or column["name"] for column in table["columns"]]
    etag = snapshot.etag(table["digest"][:12] + header)
    # What a file is called at the reader's end: the title in Chinese, and a plain name for old clients.
    title = quote(f"{table['title_zh'] or name}-{snapshot.release.number}.csv")
    headers = {
        **_version_headers(snapshot, etag),
        "content-disposition": (
            f"attachment; filename=\"{name}-{snapshot.release.number}.csv\"; filename*=UTF-8''{title}"
        ),
    }
    if _is_known(request, etag):
        return Response(status_code=304, headers=headers)
    cells = ", ".join(_csv_cell(column["name"], column["type"]) for column in table["columns"])
    end = table["rows"] if limit is None else start + limit
    query = f"select {cells} from {_quoted(name)} where rowid >= ? and rowid < ? order by rowid"

    def lines() -> Iterator[bytes]:
        # The mark in front tells Excel that this is UTF-8.
        yield "\ufeff".encode()
        rows = snapshot.cursor().execute(query, [start, end])
        batch: list[Any] = [titles if header == "zh" else names]
        while batch:
            text = io.StringIO()
            csv.writer(text).writerows(batch)
            yield text.getvalue().encode()
            batch = rows.fetchmany(_CSV_BATCH)

    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def _csv_cell(column: str, kind: str) -> str:
    cell = f"{_quoted(column)}::varchar"
    if kind != "VARCHAR":
        return cell
    # A spreadsheet would run such a text as a formula: a sender must not reach into a reader's machine.
    is_formula = f"regexp_matches({cell}, '^([=@\\t\\r]|[+-]([^0-9.]|$))')"
    return f"case when {is_formula} then '''' || {cell} else {cell} end"


def _rows(snapshot: Snapshot, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
    result = snapshot.cursor().execute(query, values)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    # A decimal is written with its own digits, not with those of the nearest double.
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else str(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tell_problems(app: FastAPI) -> None:
    titles = {404: ("not-found", "没有这个地址"), 405: ("method-not-allowed", "不支持这种请求方法")}

    @app.exception_handler(ProblemError)
    def told(request: Request, error: ProblemError) -> Response:
        return _problem(request.url.path, error.status, error.kind, error.title, error.detail)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        kind, title = titles.get(error.status_code, ("http-error", "请求未能完成"))
        response = _problem(request.url.path, error.status_code, kind, title, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may be anything.
        wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return _problem(request.url.path, 422, "invalid-parameter", "参数不正确", wrong)


def _problem(path: str, status: int, kind: str, title: str, detail: str) -> Response:
    problem = Problem(
        type=f"urn:edulake:problem:{kind}", title=title, status=status, detail=detail, instance=path
    )
    return Response(problem.model_dump_json(), status, media_type="application/problem+json")


class _Guard:
    """Refuses foreign hosts, sets the headers of every response, and turns a surprise into a problem."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        host = re.sub(r":\d+$", "", Headers(scope=scope).get("host", ""))
        if host not in self._hosts:
            refusal = _problem(
                scope["path"],
                421,
                "wrong-host",
                "请用本机地址访问",
                f"served for {', '.join(self._hosts)} only",
            )
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if started:
                raise
            _log.exception("%s %s failed", scope["method"], scope["path"])
            surprise = _problem(scope["path"], 500, "internal", "服务内部出错", "see the server's log")
            await surprise(scope, receive, guarded)
