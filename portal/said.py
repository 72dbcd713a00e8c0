"""What every computed answer says of itself: release, day, synthetic or not, method, units, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from jobs.declare import missing
from portal import replies
from portal.models import Reason
from portal.snapshot import Snapshot

_NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


class Said(BaseModel):
    """Which release an answer is made from, the day that it shows, and how it is made."""

    release: int
    as_of_date: str
    synthetic: bool
    method_zh: str
    method_en: str


class Meaning(BaseModel):
    """What a figure means, and its unit where it is a number."""

    title_zh: str
    description: str
    unit_zh: str | None = None
    unit_en: str | None = None


class SaidOfRows(Said):
    """`columns`: what each one means. `reasons`: the codes of missing values, in words."""

    columns: dict[str, Meaning]
    reasons: dict[str, Reason]


def said(snapshot: Snapshot, method_zh: str, method_en: str, told: Mapping[str, Any]) -> bytes:
    """The JSON of an answer."""
    about = {
        "as_of_date": snapshot.release.manifest["as_of_date"],
        "method_zh": method_zh,
        "method_en": method_en,
    }
    return replies.written(snapshot, {**about, **told})


def meanings(snapshot: Snapshot, tables: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the columns of these tables mean, with the units of their numbers."""
    # Contracts load Arrow, which a process that answers nothing of this does without.
    from jobs.declare import column_units
    from jobs.declare.model import ContractError

    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for column in snapshot.tables[table]["columns"]:
            told = {"title_zh": column["title_zh"], "description": column["description"]}
            if column["type"].startswith(_NUMBERS):
                with suppress(ContractError):
                    told["unit_zh"], told["unit_en"] = column_units.unit_of(column["name"])
            found.setdefault(column["name"], told)
    return found


def reasons(rows: Iterable[Mapping[str, Any]]) -> dict[str, missing.Reason]:
    """The words of each reason of a missing value in these rows."""
    found = {value for row in rows for name, value in row.items() if missing.is_reason_column(name)}
    return {code: words for code, words in missing.reasons().items() if code in found}
