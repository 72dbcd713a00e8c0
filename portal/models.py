"""The shapes of the API's answers, as OpenAPI shows them and as tests check them.

`synthetic` says of every answer whether it is of a made-up city.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class Note(BaseModel):
    """A public note on a release, written after it went out."""

    at: str
    note: str


class ReleaseInfo(BaseModel):
    """Which release is served, and what it was made from."""

    release: int
    run_id: str
    site: str
    title_zh: str
    title_en: str
    as_of_date: str
    known_at: str
    published_at: str
    code_version: str
    audience: str
    table_count: int
    synthetic: bool
    inputs: dict[str, int]
    notes: list[Note]
    versions: dict[str, str] = {}


class Point(BaseModel):
    """One point of a small chart; `lower` and `upper` bound a forecast."""

    x: str | int | float
    y: float | None
    lower: float | None = None
    upper: float | None = None


class Card(BaseModel):
    """A decision service's main figure, with its definition. A row of `rpt_portal__service_card`."""

    service: str
    sort_order: int
    title_zh: str
    title_en: str
    status: Literal["ok", "no_data"]
    figure_value: float | None
    figure_unit_zh: str | None
    figure_label_zh: str | None
    figure_label_en: str | None
    definition_zh: str | None
    definition_en: str | None
    period_label: str | None
    as_of_date: str | None
    note_zh: str | None
    is_complete: bool | None = None
    chart_kind: Literal["line", "bar", "fan"] | None
    series: list[Point]
    detail_table: str | None


class Cards(BaseModel):
    """One card for each decision service."""

    release: int
    synthetic: bool
    cards: list[Card]


class PlatformItem(BaseModel):
    """A published table on one platform's list; `href` is null where this audience may not open it."""

    table_name: str
    sort_order: int
    title_zh: str
    title_en: str
    grain_zh: str | None
    row_count: int | None
    note_zh: str | None
    href: str | None


class Platform(BaseModel):
    """One of the three platforms, with its list."""

    platform: str
    title_zh: str
    title_en: str
    items: list[PlatformItem]


class Platforms(BaseModel):
    """The three platforms."""

    release: int
    synthetic: bool
    platforms: list[Platform]


class TableSummary(BaseModel):
    """A table of the release."""

    name: str
    title_zh: str
    title_en: str
    description: str
    platform: str | None
    row_count: int
    column_count: int
    href: str


class Tables(BaseModel):
    """Every table that this audience may open."""

    release: int
    synthetic: bool
    tables: list[TableSummary]


class TableColumn(BaseModel):
    """A column: its type in DuckDB, its name in Chinese and what it means. `additive_over`: the keys over
    which a measure may be summed, perhaps none; null for what is no measure.
    """

    name: str
    type: str
    title_zh: str
    description: str
    additive_over: list[str] | None = None


class Reason(BaseModel):
    """Why a value is missing, in words; `symbol` stands for the value in a table."""

    zh: str
    en: str
    symbol: str


class Table(BaseModel):
    """A page of a table. `row_count`: the rows that fit the filters; `first`: the place of the page's first
    row among them, from 1. `next` is the address of the next page, or null. `version`: of the promise that
    the table makes. `reasons`: the codes of missing values on this page, in words.
    """

    release: int
    synthetic: bool
    name: str
    version: str | None
    title_zh: str
    title_en: str
    description: str
    row_count: int
    first: int
    columns: list[TableColumn]
    rows: list[dict[str, Any]]
    reasons: dict[str, Reason]
    next: str | None


class Measure(BaseModel):
    """A measure of a table. `additive_over`: the keys over which it may be summed."""

    name: str
    title_zh: str
    description: str
    additive_over: list[str]


class Member(BaseModel):
    """A value of a key, with its name where a code list has one."""

    value: Any
    name_zh: str | None


class Cell(BaseModel):
    """A cell: where it stands, its values by measure, why a value is missing, the keys over which it is a
    released total, and of how many rows of the table it is made.
    """

    at: dict[str, Any]
    values: dict[str, Any]
    reasons: dict[str, str]
    total_over: list[str]
    row_count: int


class Cells(BaseModel):
    """A built table. `ways`: how each key comes to one value: shown, filter, total, only, sum."""

    release: int
    synthetic: bool
    name: str
    version: str | None
    title_zh: str
    title_en: str
    description: str
    measures: list[Measure]
    rows: list[str]
    columns: list[str]
    filters: list[list[str]]
    ways: dict[str, str]
    members: dict[str, list[Member]]
    cells: list[Cell]
    reasons: dict[str, Reason]
    footnotes: list[dict[str, str]]


class OptionValue(Member):
    """A value that exists together with all other filters."""

    row_count: int
    is_total: bool


class OptionKey(BaseModel):
    """A key: how it comes to one value now (`choose`: it does not yet), and its values that exist."""

    name: str
    title_zh: str
    way: str
    pick_one: bool
    is_whole: bool
    values: list[OptionValue]


class OptionMeasure(Measure):
    """A measure, and whether it can be shown with what is chosen."""

    is_selectable: bool


class Options(BaseModel):
    """What can still be chosen of a table."""

    release: int
    synthetic: bool
    name: str
    version: str | None
    title_zh: str
    title_en: str
    description: str
    keys: list[OptionKey]
    measures: list[OptionMeasure]


class CellsQuestion(BaseModel):
    """What a permanent link is to show: as the parameters of `/tables/{name}/cells`."""

    model_config = {"extra": "forbid"}

    table: Annotated[str, Field(max_length=100)]
    measures: Annotated[list[str], Field(max_length=50)]
    rows: Annotated[list[str], Field(max_length=10)] = []
    columns: Annotated[list[str], Field(max_length=10)] = []
    filters: Annotated[dict[str, str | list[str]], Field(max_length=50)] = {}


class PermalinkMade(BaseModel):
    """A permanent link. `is_public`: whoever has it may open it; else only who sees the same as its maker."""

    id: str
    href: str
    release: int
    made_at: str
    is_public: bool
    synthetic: bool


class Health(BaseModel):
    """`ok`; `stale` when a newer release cannot be opened; `damaged` when a served file is not what was
    published; `unreadable` when no release can be opened; `no_release` before the first.
    """

    status: Literal["ok", "stale", "damaged", "unreadable", "no_release"]
    release: int | None
    synthetic: bool
    fault: str | None


class Problem(BaseModel):
    """What went wrong (RFC 9457), in both languages; `type` is stable. `title` and `detail` are in the
    language that the reader asks for (Accept-Language); else the title is Chinese and the detail English.
    """

    type: str
    title: str
    title_zh: str
    title_en: str
    status: int
    detail: str
    detail_zh: str
    detail_en: str
    instance: str
    synthetic: bool


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether the portal can do its work, and which of its checks hold."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, bool]
