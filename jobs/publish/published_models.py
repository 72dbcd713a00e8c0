"""Which dbt models a release shows, to whom, and which must not be published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs.declare import additive
from jobs.publish.release import CITY, ReleaseError

_PUPIL_COLUMN = re.compile(
    r"(^|_)(pupil_key|person_token|(pupil|student)_(national_)?(id|no|name)|staff_key|id_card_no|national_id)$"
)
# How the name of a district's file with rows about single pupils ends.
PUPILS = "-pupils"
# The columns of each table with their types, in order.
Columns = dict[str, dict[str, str]]

# Folders of marts, the platforms among them.
FOLDERS = {
    "management": "公共管理",
    "services": "公共服务",
    "resources": "公共资源",
    "portal": "门户",
    "public": "公开",
}
# Who may see a mart.
AUDIENCES = {
    "public": ("公开", "public"),
    "city": ("各区和市，全表", "the city and each district, the whole table"),
    "district": ("市看全部，各区看本区", "the city all rows, each district its own"),
    "full": ("只限管理员", "the steward alone"),
}


@dataclass(frozen=True)
class Column:
    """What a column means, as its dbt model says."""

    title_zh: str = ""
    description: str = ""
    # The keys of the grain over which it may be summed, perhaps none; None: it is no measure.
    additive_over: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Renamed:
    """A column that had another name, under which it can still be read until a day."""

    old: str
    new: str
    until: date


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
    # What a school may open of it: the column by which rows are its own, or `none`. Not said: by the rule.
    school_rows: str | None = None
    public: bool = False
    city_rows: bool = False
    title_zh: str = ""
    title_en: str = ""
    description: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    # The columns that tell each row from every other.
    grain: tuple[str, ...] = ()
    # The next day on which a dataset behind it is due (`next_update`); None: no calendar says so.
    next_update: str | None = None
    # What a reader could misread, in Chinese and English.
    footnotes: tuple[tuple[str, str], ...] = ()
    # Of a public table: its key, what it counts and what adds up (jobs.publish.protect.rules).
    protect: Mapping[str, Any] | None = None
    # The number of the promise that the table makes: a change that breaks it takes the next one.
    major: int = 1
    renamed: tuple[Renamed, ...] = ()

    def on(self, day: date) -> Model:
        """The model as a release of this day shows it: old names of columns whose time is over are gone."""
        standing = tuple(one for one in self.renamed if day <= one.until)
        told = dict(self.columns)
        for one in standing:
            meaning = told.get(one.new, Column())
            title = f"{meaning.title_zh}（{one.new} 的旧名，用至 {one.until}）"
            words = f"Old name of {one.new}, until {one.until}. {meaning.description}".strip()
            told[one.old] = replace(meaning, title_zh=title, description=words)
        return replace(self, renamed=standing, columns=told)

    @property
    def audience(self) -> str:
        """The widest circle that sees it: `public`; `city`, whole for every district too; `district`, each
        its own rows and the city all; `full`, the steward alone.
        """
        if self.public:
            return "public"
        if self.pupil_rows:
            return "full"
        return CITY if self.scope == CITY else "district"

    @property
    def pick_one(self) -> tuple[str, ...]:
        """Columns of the grain of which one value is picked before anything is summed."""
        return tuple(additive.one_of(self.grain))

    @property
    def total_marks(self) -> dict[str, str]:
        """Key -> the column that is true where a row is the total over that key."""
        marks = {key: additive.mark_of(key) for key in self.grain}
        return {key: mark for key, mark in marks.items() if mark in self.columns}


def of_audience(models: Iterable[Model], audience: str) -> list[Model]:
    """The models that the file of an audience holds: rows about single pupils lie in the steward's and, of a
    district, in the file that only school and family routes open.
    """
    if audience == "full":
        return [*models]
    if audience.endswith(PUPILS):
        return [model for model in models if model.pupil_rows and model.scope != CITY]
    shown = [model for model in models if not model.pupil_rows]
    return [model for model in shown if model.public] if audience == "public" else shown


def district_of(audience: str) -> str | None:
    """The district whose rows alone a file holds; None for one of the whole city."""
    if not audience.startswith("district-"):
        return None
    return audience.removeprefix("district-").removesuffix(PUPILS)


def is_personal(column: str) -> bool:
    """Whether a column names one person."""
    return bool(_PUPIL_COLUMN.search(column))


def read_models(dbt_manifest: Path) -> dict[str, Model]:
    """The models to publish (their `meta` names a `scope`), from dbt's `target/manifest.json`."""
    nodes = orjson.loads(dbt_manifest.read_bytes())["nodes"].values()
    models = {}
    for node in nodes:
        meta = _meta(node)
        if node["resource_type"] != "model" or "scope" not in meta:
            continue
        name = node.get("alias") or node["name"]
        models[name] = model_of(name, node)
    return models


def model_of(name: str, node: Mapping[str, Any]) -> Model:
    """What a node of dbt's manifest says of a model; its columns by name."""
    meta, columns = _meta(node), node.get("columns", {})
    own = zip(meta.get("footnotes_zh", ()), meta.get("footnotes_en", ()), strict=True)
    return Model(
        name=name,
        scope=meta["scope"],
        platform=meta.get("platform"),
        pupil_rows=bool(meta.get("pupil_rows", False)),
        school_rows=meta.get("school_rows"),
        public=bool(meta.get("public", False)),
        city_rows=bool(meta.get("city_rows", False)),
        title_zh=meta.get("title_zh", ""),
        title_en=meta.get("title_en", ""),
        description=node.get("description", ""),
        columns={column: _column(entry) for column, entry in columns.items()},
        grain=tuple(meta.get("grain", ())),
        footnotes=(*own, *additive.footnotes(name, tuple(columns))),
        protect=meta.get("protect"),
        **of_contract(meta),
    )


def _column(entry: Mapping[str, Any]) -> Column:
    meta = _meta(entry)
    over = meta.get("additive_over")
    return Column(
        meta.get("title_zh", ""), entry.get("description", ""), None if over is None else tuple(over)
    )


def of_contract(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What the `meta` of a model says of the promise that its table makes."""
    renamed = (
        Renamed(one["from"], one["to"], date.fromisoformat(str(one["until"])))
        for one in meta.get("renamed", ())
    )
    return {"major": int(meta.get("major", 1)), "renamed": tuple(renamed)}


def _meta(node: Mapping[str, Any]) -> dict[str, Any]:
    # dbt keeps `meta` under `config`, for a model and for a column alike.
    return node.get("config", {}).get("meta", {})


def checked_columns(build_file: Path, models: Mapping[str, Model]) -> Columns:
    """The columns of the models to publish, old names of columns last. Raises ReleaseError for a model that
    must not be published.
    """
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
        if model.school_rows not in (None, "none", *columns[name]):
            raise ReleaseError(f"{name}: `school_rows` is `none` or a column, not {model.school_rows!r}")
        if model.public and model.pupil_rows:
            raise ReleaseError(f"{name} has a row per pupil and cannot be public")
        for one in model.renamed:
            if one.new not in columns[name] or one.old in columns[name]:
                raise ReleaseError(f"{name}: {one.old} is no old name of a column {one.new} that it has")
            columns[name][one.old] = columns[name][one.new]
        personal = [column for column in columns[name] if is_personal(column)]
        if personal and not model.pupil_rows:
            raise ReleaseError(f"{name} has {', '.join(personal)} without `pupil_rows: true`")
    return columns
