"""The description of the API (OpenAPI): each route with the columns of its table, the same at every site.

`./edulake dictionary` writes it to `docs/reference/openapi.json`; a test compares, and names what breaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from jobs.files import parse_yaml
from jobs.settings import ROOT
from portal import filters, parameters
from portal.resources import TABLE

FILE = ROOT / "docs" / "reference" / "openapi.json"
_MARTS = ROOT / "dbt" / "models" / "marts"


def completed(told: Mapping[str, Any]) -> dict[str, Any]:
    """FastAPI's description, with the columns of each route's table: as parameters, as shape of rows."""
    whole: dict[str, Any] = orjson.loads(orjson.dumps(told))
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    for methods in whole["paths"].values():
        for operation in methods.values():
            table = operation.get(TABLE)
            if not table:
                continue
            columns = columns_of(table)
            named = {one["name"] for one in operation["parameters"] if "name" in one}
            operation["parameters"] += [
                one for one in parameters.of_columns(columns) if one["name"] not in named
            ]
            schemas[table] = _row(columns)
            answer = operation["responses"]["200"]["content"]["application/json"]
            rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{table}"}}
            answer["schema"] = {"allOf": [answer["schema"], {"type": "object", "properties": {"rows": rows}}]}
    _share(whole)
    _refusals(whole)
    _pairs(whole)
    whole["components"]["schemas"] = dict(sorted(schemas.items()))
    return whole


def _share(whole: dict[str, Any]) -> None:
    """Tell the parameters that every table has once."""
    shared = {one["name"]: one for one in parameters.plain()}
    whole["components"]["parameters"] = shared
    for methods in whole["paths"].values():
        for operation in methods.values():
            if "parameters" in operation:
                operation["parameters"] = [
                    {"$ref": f"#/components/parameters/{one['name']}"} if one in shared.values() else one
                    for one in operation["parameters"]
                ]


# What any route may answer: who asks, which release, how often.
_ANY = ("400", "401", "403", "404", "410", "422", "429", "503", "504")
_PROBLEM = {"$ref": "#/components/responses/Problem"}


def _refusals(whole: dict[str, Any]) -> None:
    """Tell once what a refusal looks like, and that every route may refuse."""
    shape = {"$ref": "#/components/schemas/Problem"}
    told = {"description": "拒绝的原因 Why not", "content": {"application/problem+json": {"schema": shape}}}
    whole["components"]["responses"] = {"Problem": told}
    for methods in whole["paths"].values():
        for operation in methods.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                name = str(schema.get("$ref", "")).rpartition("/")[2]
                if status >= "400" and name in ("Problem", "HTTPValidationError"):
                    answers[status] = _PROBLEM
            answers |= {status: _PROBLEM for status in _ANY if status not in answers}


def _pairs(told: Any) -> None:
    """Tell pairs of one kind as arrays of that length: not every reader knows `prefixItems`."""
    for part in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        _pairs(part)
    if isinstance(told, dict) and isinstance(told.get("prefixItems"), list):
        kinds = told.pop("prefixItems")
        told["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}


def document(app: FastAPI) -> dict[str, Any]:
    """The description without what is one site's own."""
    told = completed(FastAPI.openapi(app))
    told["info"] = {**told["info"], "title": "edulake API", "description": app.description}
    return told


def text(app: FastAPI) -> str:
    """The description as it is committed."""
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _row(columns: list[tuple[str, str, str, str]]) -> dict[str, Any]:
    """The shape of a row; `fields` may leave out any column, and each value may be missing."""
    shapes = {}
    for name, kind, zh, en in columns:
        shape = filters.schema_of(kind)
        shapes[name] = {**shape, "type": [shape["type"], "null"], "title": zh or name, "description": en}
    return {"type": "object", "properties": shapes}


def columns_of(table: str) -> list[tuple[str, str, str, str]]:
    """Name, type, Chinese title and meaning of each column of a mart, as its YAML declares them."""
    found = _files().get(table)
    if found is None:
        return []
    (model,) = (one for one in parse_yaml(found.read_text("utf-8"))["models"] if one["name"] == table)
    return [
        (
            column["name"],
            column["data_type"].upper().replace(", ", ","),
            column.get("config", {}).get("meta", {}).get("title_zh", ""),
            column.get("description", ""),
        )
        for column in model["columns"]
    ]


@cache
def _files() -> dict[str, Path]:
    return {path.stem: path for path in _MARTS.rglob("*.yml")}


def breaking(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a reader of the API before would miss: a sentence on each."""
    return [*_of_paths(before, after), *_of_schemas(before, after)]


def _of_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in before["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            now = after["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name} is gone"
                continue
            old, new = _parameters(operation, before), _parameters(now, after)
            for one, (is_needed, kind) in new.items():
                if is_needed and not old.get(one, (False, ""))[0]:
                    yield f"{name}: {one} must be given now"
                if one in old and old[one][1] != kind:
                    yield f"{name}: {one} was {old[one][1]}, is {kind}"
            yield from (f"{name}: parameter {one} is gone" for one in old if one not in new)
            gone = {*operation["responses"]} - {*now["responses"]}
            yield from (f"{name}: answers {status} no longer" for status in sorted(gone) if status < "300")
            types = _media(operation) - _media(now)
            yield from (f"{name}: no longer answers as {media}" for media in sorted(types))


def _parameters(operation: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    shared = whole.get("components", {}).get("parameters", {})
    told = (
        shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for one in operation.get("parameters", ())
    )
    return {one["name"]: (one.get("required", False), _kind(one.get("schema", {}))) for one in told}


def _media(operation: Mapping[str, Any]) -> set[str]:
    return {*operation["responses"].get("200", {}).get("content", {})}


def _of_schemas(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    new = after.get("components", {}).get("schemas", {})
    for name, schema in before.get("components", {}).get("schemas", {}).items():
        if name not in new:
            yield f"{name} is gone"
            continue
        now = new[name].get("properties", {})
        for field, shape in schema.get("properties", {}).items():
            if field not in now:
                yield f"{name}.{field} is gone"
            elif _kind(shape) != _kind(now[field]):
                yield f"{name}.{field} was {_kind(shape)}, is {_kind(now[field])}"


def _kind(schema: Mapping[str, Any]) -> str:
    """A short word for a shape: two of one word can be read alike."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " | ".join(_kind(one) for one in schema[word])
    kind = schema.get("type", "anything")
    named = " | ".join(kind) if isinstance(kind, list) else str(kind)
    if "items" in schema:
        return f"{named} of {_kind(schema['items'])}"
    return f"{named} of {', '.join(map(str, schema['enum']))}" if "enum" in schema else named
