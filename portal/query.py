"""The query engine: one table of the caller's release, filtered, sorted and paged; every route reads here.

rows(asked, "dim_school", {"district_code": "110105"}, sort="-place_count")   for computed answers
await respond(asked, "dim_school", request)                                   for routes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.access.caller import Scope
from jobs.declare import missing
from portal import filters, formats, replies
from portal.asked import Asked
from portal.filters import PLAIN, Pairs, given
from portal.replies import API
from portal.selection import Selection, check_version, cursor_of, foreign_cursor, position, released, select
from portal.snapshot import Reply, Snapshot

MOST_ROWS = 1000
FEW_ROWS = 100


def rows(
    asked: Asked,
    table: str,
    filters: Mapping[str, Any] | None = None,
    sort: str = "",
    fields: Sequence[str] = (),
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Rows of a table as the caller may see them, for a computed answer: call it in a thread.

    `filters` as an address has them, with values of Python: `{"score__gte": 60, "grade_key": ["P1", "P2"]}`.
    """
    selection = select(asked.snapshot, asked.scope, table, given(filters or {}), sort, ",".join(fields))
    return [dict(zip(selection.columns, row[1:], strict=True)) for row in selection.page(None, limit)]


@dataclass(frozen=True)
class Wanted:
    """The parameters of one request that are no filters."""

    limit: int | None
    cursor: str
    format: str
    header: str
    sort: str
    fields: str
    version: str
    pairs: Pairs
    # What the address of the next page says again.
    kept: Pairs


def wanted(request: Request, sort: str = "") -> Wanted:
    """Sort the parameters of a request. Raises ProblemError for one given twice or out of bounds."""
    pairs, own = [], dict[str, str]()
    for name, text in request.query_params.multi_items():
        if name not in PLAIN:
            pairs.append((name, text))
        elif name in own:
            raise filters.wrong(name, "这个参数只能给一次", "give it once")
        else:
            own[name] = text
    output = formats.chosen(own.get("format"), request.headers.get("accept", ""))
    header = own.get("header", "name")
    if header not in ("name", "zh"):
        raise filters.wrong("header", "应为 name 或 zh", "must be name or zh")
    limit = None
    if "limit" in own:
        most = MOST_ROWS if output == "json" else 10**9
        limit = filters.value_of("INTEGER", own["limit"], "limit")
        if not 1 <= limit <= most:
            raise filters.wrong("limit", f"应在 1 到 {most} 之间", f"must be between 1 and {most}")
    return Wanted(
        limit,
        own.get("cursor", ""),
        output,
        header,
        own.get("sort", "") or sort,
        own.get("fields", ""),
        own.get("table_version", ""),
        pairs,
        [pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "release")],
    )


async def respond(
    asked: Asked,
    table: str,
    request: Request,
    fixed: Mapping[str, Any] | None = None,
    sort: str = "",
    path: str = "",
) -> Response:
    """The answer of a route that shows a table: a page of JSON, or a file.

    `fixed`: filters that the route itself sets; `sort`: its order where the request names none; `path`: its
    address, where that is not `/tables/<name>`.
    """
    path = path or f"{API}/tables/{table}"
    params = request.query_params
    number = released(params.get("cursor", ""))
    if number is not None:
        if "release" in params and number != asked.snapshot.release.number:
            raise foreign_cursor()
        asked = await asked.of(number)
    output = formats.chosen(params.get("format"), request.headers.get("accept", ""))
    if output == "json":
        # What has been answered is good for the same words, in whatever order they come.
        words = sorted(request.scope["query_string"].decode("latin-1").split("&"))
        return await asked.answer(
            f"{path}?{'&'.join(words)}",
            lambda of: _page(of, asked.scope, table, wanted(request, sort), given(fixed or {}), path),
        )
    want = wanted(request, sort)
    return await formats.respond(
        asked, *await run_in_threadpool(_file, asked, table, want, given(fixed or {}))
    )


def _page(snapshot: Snapshot, scope: Scope, table: str, want: Wanted, fixed: Pairs, path: str) -> Reply:
    """A page of JSON with the address of the next one."""
    selection = select(snapshot, scope, table, want.pairs, want.sort, want.fields, fixed)
    check_version(selection, want.version)
    place, after = position(selection, want.cursor)
    size = want.limit or FEW_ROWS
    found = selection.page(after, size + 1)
    shown = [dict(zip(selection.columns, row[1:], strict=True)) for row in found[:size]]
    following = None
    if len(found) > size:
        cursor = cursor_of(selection, place + size, found[size - 1][0])
        following = f"{path}?{urlencode([*want.kept, ('cursor', cursor)], safe=',')}"
    told = selection.told
    body = replies.written(
        snapshot,
        {
            "name": table,
            "version": selection.version,
            **{key: told[key] for key in ("title_zh", "title_en", "description")},
            "row_count": selection.count(),
            "first": place + 1 if shown else 0,
            "columns": selection.told_columns,
            "rows": shown,
            "reasons": reasons(selection.columns, shown),
            "next": following,
        },
    )
    return Reply(body, "", link=following or "")


def _file(asked: Asked, table: str, want: Wanted, fixed: Pairs) -> tuple[Selection, formats.File]:
    selection = select(asked.snapshot, asked.scope, table, want.pairs, want.sort, want.fields, fixed)
    check_version(selection, want.version)
    _, after = position(selection, want.cursor)
    return selection, formats.File(want.format, want.header, after, want.limit)


def reasons(columns: Sequence[str], rows: list[dict[str, Any]]) -> dict[str, missing.Reason]:
    """The words of each reason of a missing value on a page."""
    named = [name for name in columns if missing.is_reason_column(name)]
    found = {row[name] for row in rows for name in named}
    return {code: words for code, words in missing.reasons().items() if code in found} if found else {}
