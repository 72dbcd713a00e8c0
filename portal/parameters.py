"""The parameters of every route of the API are known: one that it does not have is refused, never ignored."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute

from portal import filters
from portal.replies import API

# The mark of a route whose other parameters are the columns of a table: the query engine judges them.
OPEN = "x-filters"


async def only_known(request: Request) -> None:
    """Refuse a parameter that the route does not have, or one that is given twice and is no list."""
    # What comes back from a provider of identities may carry words of its own.
    if not request.scope["query_string"] or not request.scope["path"].startswith(API):
        return
    route = request.scope.get("route")
    known = _known(route) if isinstance(route, APIRoute) else None
    if known is None:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    if strange := [name for name in dict.fromkeys(names) if name not in known]:
        raise filters.unknown(strange, known)
    for name in known:
        if not known[name] and names.count(name) > 1:
            raise filters.wrong(name, "这个参数只能给一次", "give it once")


def _known(route: APIRoute) -> dict[str, bool] | None:
    """Name -> whether it may be given more than once; None for a route that judges its own."""
    if (route.openapi_extra or {}).get(OPEN):
        return None
    found: dict[str, bool] | None = getattr(route, "known_parameters", None)
    if found is None:
        told = get_flat_dependant(route.dependant, skip_repeats=True).query_params
        found = {one.alias: _is_list(one.field_info.annotation) for one in told}
        route.known_parameters = found  # type: ignore[attr-defined]
    return found


def _is_list(kind: Any) -> bool:
    return "list[" in str(kind) or "tuple[" in str(kind)


def plain() -> list[dict[str, Any]]:
    """The parameters of a table that are no filters, for OpenAPI."""
    from portal.formats import MEDIA

    def told(name: str, zh: str, en: str, **schema: Any) -> dict[str, Any]:
        kind = {"type": "string", **schema}
        return {"name": name, "in": "query", "required": False, "schema": kind, "description": f"{zh} {en}"}

    return [
        told("sort", "排序，如 -score,school_code；- 为降序。", "Order; `-` falls, missing values last."),
        told("fields", "只取这些字段，以逗号分隔。", "Only these columns, with commas."),
        told(
            "limit", "每页行数；JSON 默认 100，文件默认全部。", "Rows; 100 of JSON, all of a file.",
            type="integer", minimum=1,
        ),
        told("cursor", "下一页的位置，取自 next。", "From `next`: stays in its release, filters and order."),
        told("format", "格式；也可用 Accept。", "Format; Accept does the same.", enum=[*MEDIA]),
        told("header", "CSV 表头：字段名或中文名。", "CSV: names or Chinese titles.", enum=["name", "zh"]),
        told("table_version", "要求的数据表版本，如 2.*。", "The promise wanted of the table, such as 2.*."),
    ]  # fmt: skip


def any_column() -> dict[str, Any]:
    """The parameters of a route whose table is named in its path, for OpenAPI."""
    return {
        "name": "filters",
        "in": "query",
        "required": False,
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "description": "按任一字段筛选：字段=值，或 __ne、__in、__gte、__null、__contains 等。 Any column.",
    }


def of_columns(columns: list[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    """A parameter for each column (name, type, Chinese title, meaning) that can be filtered, for OpenAPI."""
    found = []
    for name, kind, zh, en in columns:
        can = filters.operators_of(kind)
        if can:
            endings = ", ".join(f"{name}__{one}" for one in can if one)
            about = f"{zh} {en}".strip()
            schema = {"type": "array", "items": filters.schema_of(kind)}
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": False,
                    "schema": schema,
                    "style": "form",
                    "explode": True,
                    "description": f"{about} (also: {endings})",
                }
            )
    return found
