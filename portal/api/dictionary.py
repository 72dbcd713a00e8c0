"""The dictionary: what can be asked and what it means, code lists, metrics, terms, and a column's lineage."""

from __future__ import annotations

import re
import threading
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from jobs.settings import ROOT, Settings
from portal import replies, selection
from portal.access.gate import EVERYBODY, OFFICIALS, opened_to
from portal.asked import Asked, OneAsked, problems_told
from portal.problems import ProblemError
from portal.replies import API
from portal.said import meanings

router = APIRouter(prefix=API, tags=["dictionary"], responses={**problems_told(404, 410, 422, 503, 504)})

# Lists of persons' or senders' own numbers are no codes that one looks up.
_NO_LISTS = ("sender",)
_TERM = re.compile(
    r"^\| \*\*(?P<term>[^|]+?)\*\*(?P<more>[^|]*) \| (?P<zh>[^|]*) \| (?P<meaning>[^|]*)"
    r" \| [^|]* \| (?P<avoid>[^|]*) \|$",
    re.MULTILINE,
)


class Base(BaseModel):
    """Which release answers."""

    release: int
    synthetic: bool


class ColumnTold(BaseModel):
    """A column and its table; `unit_zh`, `unit_en` where it is a number."""

    table: str
    name: str
    type: str
    title_zh: str
    description: str
    unit_zh: str | None = None
    unit_en: str | None = None
    href: str


class TableTold(BaseModel):
    """A table that fits, the best first; `columns`: those that fit best."""

    table: str
    title_zh: str
    description: str
    grain: list[str]
    href: str
    columns: list[ColumnTold]


class Search(Base):
    """Tables and columns that mean what is asked."""

    tables: list[TableTold]


class CodeListNames(Base):
    """The code lists: name -> what it is of, in Chinese and English."""

    lists: dict[str, tuple[str, str]]


class OneCode(BaseModel):
    """A code of a list."""

    code: str
    meaning_zh: str
    meaning_en: str


class Codes(Base):
    """A code list."""

    name: str
    title_zh: str
    title_en: str
    codes: list[OneCode]


class MetricTold(BaseModel):
    """A metric: what it is, how it is counted, and by which clause."""

    metric_code: str
    service: str
    metric_zh: str
    metric_en: str
    definition_zh: str
    definition_en: str
    numerator_zh: str | None
    denominator_zh: str | None
    unit_zh: str
    unit_en: str
    direction: str
    levels: list[str]
    clause: str | None
    footnote_zh: str | None
    source_tables: list[str]


class Metrics(Base):
    """Every metric, declared once."""

    metrics: list[MetricTold]


class Term(BaseModel):
    """A term of the glossary: one meaning in code, tables and documents."""

    term: str
    zh: str
    meaning: str
    avoid: str


class Glossary(Base):
    """The glossary."""

    terms: list[Term]


class Step(BaseModel):
    """A point of the lineage, and how the asked one has it: copied, renamed, computed, counted, filtered."""

    name: str
    kind: str
    kind_zh: str
    zh: str
    en: str


class LineageTold(Base):
    """A column's lineage. Up: `sources` are the ends, senders' headings among them; down: `columns` that are
    made of it. It is that of the installed edulake, which may be newer than a pinned release.
    """

    name: str
    zh: str
    en: str
    direction: Literal["up", "down"]
    computed_by: list[str] | None = None
    steps: list[Step]
    sources: list[Step] | None = None
    rows_chosen_by: list[Step] | None = None
    columns: list[Step] | None = None
    rows_of: list[str] | None = None


Words = Annotated[str, Query(min_length=1, max_length=100, description="要找的词 Words, Chinese or English.")]
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,80}$")]


@router.get(
    "/dictionary/search", summary="按含义查找表和字段", response_model=Search, **opened_to(*EVERYBODY)
)
async def search(asked: OneAsked, q: Words) -> Response:
    """The tables and columns that mean what is asked, within what the caller may open."""
    return await asked.answer(f"dictionary {q!r}", lambda of: _search(asked, q))


@router.get("/dictionary/codes", summary="代码表目录", response_model=CodeListNames, **opened_to(*EVERYBODY))
async def lists(asked: OneAsked) -> Response:
    """The code lists."""
    return await asked.answer("code lists", lambda of: replies.written(of, {"lists": _lists()}))


@router.get("/dictionary/codes/{name}", summary="一个代码表", response_model=Codes, **opened_to(*EVERYBODY))
async def codes(asked: OneAsked, name: Name) -> Response:
    """The codes of a list with their meanings."""
    return await asked.answer(f"codes {name}", lambda of: replies.written(of, _codes(name)))


@router.get("/dictionary/metrics", summary="指标目录", response_model=Metrics, **opened_to(*EVERYBODY))
async def metrics(asked: OneAsked) -> Response:
    """Every metric with its definition, parts, unit and clause."""
    return await asked.answer("metrics", lambda of: replies.written(of, {"metrics": _metrics()}))


@router.get("/dictionary/glossary", summary="术语表", response_model=Glossary, **opened_to(*EVERYBODY))
async def glossary(asked: OneAsked) -> Response:
    """The glossary."""
    return await asked.answer("glossary", lambda of: replies.written(of, {"terms": _terms()}))


@router.get(
    "/lineage/{table}/{column}", summary="一个字段的血缘", response_model=LineageTold, **opened_to(*OFFICIALS)
)
async def lineage(
    request: Request,
    asked: OneAsked,
    table: Name,
    column: Annotated[
        str, Path(max_length=100, description="字段或报送表头 A column, or a heading of a dataset.")
    ],
    direction: Annotated[
        Literal["up", "down"] | None,
        Query(description="up 由何而来 What it is made of; down 用于何处 what is made of it."),
    ] = None,
) -> Response:
    """A column's lineage, up to the headings of senders' files or down to the marts."""
    settings: Settings = request.app.state.settings
    key = f"lineage {table} {column} {direction}"
    return await asked.answer(
        key, lambda of: replies.written(of, _lineage(settings, table, column, direction))
    )


def _search(asked: Asked, q: str) -> bytes:
    from jobs.publish import catalog

    shown = selection.tables(asked.snapshot, asked.scope)
    listed = [
        catalog.Table(
            name,
            told["title_zh"],
            told["description"],
            [(c["name"], c["title_zh"], c["description"]) for c in told["columns"]],
        )
        for name, told in shown.items()
    ]
    found = []
    for one in catalog.search(listed, q):
        told, units = shown[one.table.name], meanings(asked.snapshot, [one.table.name])
        href = f"{API}/tables/{one.table.name}"
        by_name = {column["name"]: column for column in told["columns"]}
        found.append(
            {
                "table": one.table.name,
                "title_zh": told["title_zh"],
                "description": told["description"],
                "grain": list(told.get("grain") or ()),
                "href": href,
                "columns": [
                    {"table": one.table.name, "name": c, "type": by_name[c]["type"], "href": href, **units[c]}
                    for c in one.columns
                ],
            }
        )
    return replies.written(asked.snapshot, {"tables": found})


def _lists() -> dict[str, tuple[str, str]]:
    from jobs.declare import EXPECTATIONS, column_units

    names = sorted(path.stem for path in (EXPECTATIONS / "codes").glob("*.csv"))
    return {name: column_units.code_title(name) for name in names if name not in _NO_LISTS}


def _codes(name: str) -> dict[str, Any]:
    from jobs import declare

    known = _lists()
    if name not in known:
        raise ProblemError(
            404, "unknown-code-list", "没有这个代码表", f"{name} is not in {API}/dictionary/codes"
        )
    listed = [
        {"code": row["code"], "meaning_zh": row["meaning_zh"], "meaning_en": row.get("meaning_en", "")}
        for row in declare.code_list(name).rows
    ]
    return {"name": name, "title_zh": known[name][0], "title_en": known[name][1], "codes": listed}


def _metrics() -> list[dict[str, Any]]:
    from jobs.declare import metrics

    return [
        {
            "metric_code": one.code,
            "service": one.service,
            "metric_zh": one.name.zh,
            "metric_en": one.name.en,
            "definition_zh": one.definition.zh,
            "definition_en": one.definition.en,
            "numerator_zh": one.numerator.zh if one.numerator else None,
            "denominator_zh": one.denominator.zh if one.denominator else None,
            "unit_zh": one.unit.zh,
            "unit_en": one.unit.en,
            "direction": one.direction,
            "levels": list(one.levels),
            "clause": one.clause,
            "footnote_zh": one.footnote.zh if one.footnote else None,
            "source_tables": list(one.source_tables),
        }
        for one in metrics.load().values()
    ]


@cache
def _terms() -> list[dict[str, str]]:
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    return [
        {
            "term": row["term"] + row["more"].rstrip(),
            **{name: row[name].strip() for name in ("zh", "meaning", "avoid")},
        }
        for row in _TERM.finditer(page)
    ]


_making = threading.Lock()


def _lineage(settings: Settings, table: str, column: str, direction: str | None) -> dict[str, Any]:
    from jobs.publish import lineage, lineage_told
    from jobs.publish.lineage_sql import Point

    with _making:
        found = lineage.of_site(settings)
    point = Point(table, column)
    if not found.reads(point) and not found.step_down(point):
        raise ProblemError(
            404, "unknown-column", "没有这个字段", "no column or heading of this name is known"
        )
    is_up = bool(found.reads(point)) if direction is None else direction == "up"
    return lineage_told.told(found, point, is_up)
