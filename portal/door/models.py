"""The shapes of what people write, and of what they are told."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_LINE_ENDS = frozenset("\n\r\t")


def _plain(text: str) -> str:
    """Text without characters that no page shows. Raises ValueError."""
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") and c not in _LINE_ENDS for c in text):
        raise ValueError("must hold no control characters")
    return text.strip()


def _given(text: str) -> str:
    if not text:
        raise ValueError("must not be blank")
    return text


Remark = Annotated[str, Field(max_length=500), AfterValidator(_plain)]
Line = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Title = Annotated[str, Field(max_length=100), AfterValidator(_plain), AfterValidator(_given)]
LeverText = Annotated[str, Field(max_length=200), AfterValidator(_plain), AfterValidator(_given)]
Words = Annotated[str, Field(max_length=2000), AfterValidator(_plain), AfterValidator(_given)]
Name = Annotated[str, Field(pattern="^([a-z][a-z0-9_]{0,62})?$")]
Value = str | int | float | bool


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class StateOfAlert(_Body):
    """`seen` first, then `handled` or `false`; `seen` with `reopen` opens a closed alert again."""

    state: Literal["seen", "handled", "false"]
    note: Remark = ""
    reopen: bool = False


class HazardClosing(_Body):
    """The day on which the hazard was mended (today), and a remark."""

    hazard_done_date: date | None = None
    note: Remark = ""


class Scenario(_Body):
    """Levers as `places scenario` takes them, such as `class_size 2 stage=primary`."""

    name: Title
    levers: Annotated[list[LeverText], Field(min_length=1, max_length=20)]
    note: Remark = ""


class Comment(_Body):
    """A text about a table, of it a row (its keys) and a column."""

    about_table: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,62}$")]
    about_key: Annotated[dict[Name, Value], Field(max_length=10)] = {}
    about_column: Name = ""
    text: Words


class Correction(_Body):
    """A text about a table, row or column, or a page. `contact`: how to reach the writer; nobody but the
    steward sees it.
    """

    about_table: Name = ""
    about_key: Annotated[dict[Name, Value], Field(max_length=10)] = {}
    about_column: Name = ""
    about_page: Line = ""
    text: Words
    contact: Line = ""


class Told(BaseModel):
    """An event that is on the disk. `is_pending`: the next release will show it."""

    id: str
    dataset: str
    is_new: bool
    is_pending: bool
    state_zh: str
    delivery_id: str
    received: str
    written_time: str


class WrittenRows(BaseModel):
    """What was written, what waits first."""

    release: int
    synthetic: bool
    pending_count: int
    pending_zh: str | None
    rows: list[dict[str, Any]]
    alert_state: str | None = None
    hazard_status_code: str | None = None
