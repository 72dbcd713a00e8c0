"""Declared routes: a friendly address onto one table of the release, answered by the query engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from jobs.access.caller import Role, rows_open
from portal import parameters
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import Asked, AskedOfPupils, OneAsked, problems_told
from portal.formats import MEDIA
from portal.models import Table
from portal.problems import ProblemError
from portal.query import respond
from portal.replies import API

# Who has rows in files that are not public.
READERS = (Role.SCHOOL, Role.DISTRICT, Role.CITY, Role.STEWARD)
# A route's operation names its table, so that OpenAPI shows the table's columns.
TABLE = "x-table"
FILES: dict[str, Any] = {media.partition(";")[0]: {} for name, media in MEDIA.items() if name != "json"}


@dataclass(frozen=True)
class Resource:
    """An address that shows rows of one table.

    `path`: below the API; `{school_code}` in it is a filter on that column. `fixed`: filters that always
    hold; `sort`: the order where a request names none. `public`: the table for callers to whom `table` is not
    open. `pupil_rows`: the table is about single pupils.
    """

    path: str
    table: str
    title_zh: str
    title_en: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    sort: str = ""
    roles: Sequence[Role] = EVERYBODY
    public: str = ""
    pupil_rows: bool = False
    tag: str = ""

    @property
    def keys(self) -> list[str]:
        """The columns that the path itself filters by."""
        return re.findall(r"{(\w+)}", self.path)


def inner(path: str, table: str, title_zh: str, title_en: str, sort: str = "") -> Resource:
    """An address of which the public has no table."""
    return Resource(path, table, title_zh, title_en, sort=sort, roles=READERS)


def router_of(resources: Sequence[Resource]) -> APIRouter:
    """The routes of these resources."""
    router = APIRouter(prefix=API, responses={**problems_told(422, 503, 504)})
    add(router, resources)
    return router


def add(router: APIRouter, resources: Sequence[Resource]) -> None:
    """Add the routes of these resources to a router of the API."""
    for one in resources:
        rule = opened_to(*one.roles)
        rule["openapi_extra"] = {
            **rule["openapi_extra"],
            **told(one.table),
            "parameters": [*_of_path(one), *parameters.plain()],
        }
        router.add_api_route(
            one.path,
            _route(one),
            methods=["GET"],
            name=_name(one),
            operation_id=_name(one),
            summary=one.title_zh,
            description=one.title_en,
            response_model=Table,
            tags=[one.tag or one.path.split("/")[1]],
            responses={200: {"content": FILES}, **problems_told(404, 406, 409, 410, 413)},
            **rule,
        )


def told(table: str) -> dict[str, Any]:
    """What an operation says of its table; without one it filters by whatever the table has."""
    return {parameters.OPEN: True, **({TABLE: table} if table else {})}


def _name(one: Resource) -> str:
    return re.sub(r"\W+", "_", one.path).strip("_")


def _of_path(one: Resource) -> list[dict[str, Any]]:
    return [{"name": key, "in": "path", "required": True, "schema": {"type": "string"}} for key in one.keys]


def _route(one: Resource) -> Any:
    async def answered(request: Request, asked: Asked) -> Response:
        table = table_for(asked, filter(None, (one.table, one.public)))
        fixed = {**one.fixed, **request.path_params}
        path = f"{API}{one.path}".format(**{k: quote(v, safe="") for k, v in request.path_params.items()})
        return await respond(asked, table, request, fixed, one.sort, path)

    async def of_release(request: Request, asked: OneAsked) -> Response:
        return await answered(request, asked)

    async def of_pupils(request: Request, asked: AskedOfPupils) -> Response:
        return await answered(request, asked)

    return of_pupils if one.pupil_rows else of_release


def table_for(asked: Asked, tables: Iterable[str]) -> str:
    """The first of these tables that is open to the caller. Raises ProblemError where there is none."""
    listed, known = tuple(tables), asked.snapshot.tables
    for name in listed:
        if name in known and rows_open(name, known[name], asked.scope) != "none":
            return name
    if any(name in asked.snapshot.release.manifest["tables"] for name in listed):
        told = f"{listed[0]} has no rows for this caller"
        raise ProblemError(403, "not-in-scope", "不在您的数据范围内", told)
    number = asked.snapshot.release.number
    raise ProblemError(
        404, "not-in-release", "该版本没有这项数据", f"release {number} has no {' or '.join(listed)}"
    )
