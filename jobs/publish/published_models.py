"""Which dbt models a release shows, to whom, and which must not be published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs.publish.release import CITY, ReleaseError

_PUPIL_COLUMN = re.compile(
    r"(^|_)(pupil_key|person_token|(pupil|student)_(national_)?(id|no|name)|staff_key|id_card_no|national_id)$"
)
# The columns of each table with their types, in order.
Columns = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Column:
    """What a column means, as its dbt model says."""

    title_zh: str = ""
    description: str = ""


@dataclass(frozen=True)
class Model:
    """What a dbt model says about its place in a release.

    `scope` is `city` (every audience gets the whole table) or the column that holds the district code. A row
    without a code goes to no district, unless `city_rows` says that such rows are the city's totals.
    """

    name: str
    scope: str
    platform: str | None = None
    pupil_rows: bool = False
    public: bool = False
    city_rows: bool = False
    title_zh: str = ""
    title_en: str = ""
    description: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    # Of a public table: its key, what it counts and what adds up (jobs.publish.protect.rules).
    protect: Mapping[str, Any] | None = None


def read_models(dbt_manifest: Path) -> dict[str, Model]:
    """The models to publish (their `meta` names a `scope`), from dbt's `target/manifest.json`."""
    nodes = orjson.loads(dbt_manifest.read_bytes())["nodes"].values()
    models = {}
    for node in nodes:
        meta = _meta(node)
        if node["resource_type"] != "model" or "scope" not in meta:
            continue
        name = node.get("alias") or node["name"]
        models[name] = Model(
            name=name,
            scope=meta["scope"],
            platform=meta.get("platform"),
            pupil_rows=bool(meta.get("pupil_rows", False)),
            public=bool(meta.get("public", False)),
            city_rows=bool(meta.get("city_rows", False)),
            title_zh=meta.get("title_zh", ""),
            title_en=meta.get("title_en", ""),
            description=node.get("description", ""),
            columns={
                column: Column(_meta(entry).get("title_zh", ""), entry.get("description", ""))
                for column, entry in node.get("columns", {}).items()
            },
            protect=meta.get("protect"),
        )
    return models


def _meta(node: Mapping[str, Any]) -> dict[str, Any]:
    # dbt keeps `meta` under `config`, for a model and for a column alike.
    return node.get("config", {}).get("meta", {})


def checked_columns(build_file: Path, models: Mapping[str, Model]) -> Columns:
    """The columns of the models to publish. Raises ReleaseError for a model that must not be published."""
    if not build_file.is_file():
        raise ReleaseError(f"there is no {build_file.name}: the marts of this run are not built")
    with duckdb.connect(str(build_file), read_only=True) as build:
        found = build.execute(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'main' order by table_name, ordinal_position"
        ).fetchall()
    columns: Columns = {}
    for table, column, kind in found:
        columns.setdefault(table, {})[column] = kind
    for name, model in sorted(models.items()):
        if name not in columns:
            raise ReleaseError(f"{name} is declared, but not in {build_file.name}")
        if model.scope != CITY and model.scope not in columns[name]:
            raise ReleaseError(f"{name}: its scope is the column {model.scope}, which it has not")
        if model.public and model.pupil_rows:
            raise ReleaseError(f"{name} has a row per pupil and cannot be public")
        personal = [column for column in columns[name] if _PUPIL_COLUMN.search(column)]
        if personal and not model.pupil_rows:
            raise ReleaseError(f"{name} has {', '.join(personal)} without `pupil_rows: true`")
    return columns
