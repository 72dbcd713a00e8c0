"""Which measures of marts may be summed, and over which keys of their mart (`expectations/additive.yaml`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jobs.declare import ranges
from jobs.declare.model import ContractError
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

FILE = EXPECTATIONS / "additive.yaml"
NOTES = EXPECTATIONS / "footnotes.yaml"


def told(mart: str, columns: Mapping[str, str], grain: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`additive_over` of each measure of a mart (name -> type in DuckDB), as `meta` of its YAML.

    The list holds keys of the grain; an empty one: never summed. Keys and attributes have none. Raises
    ContractError for a number that is not declared, or one summed over what is no key of the mart.
    """
    return {
        name: {"additive_over": over}
        for name, kind in columns.items()
        if ranges.is_number(kind) and (over := _over(mart, name, grain)) is not None
    }


def one_of(columns: Sequence[str]) -> list[str]:
    """The columns of which a reader must pick one value before summing anything: they hold levels or kinds
    of one and the same thing beside each other.
    """
    return [name for name in columns if _is_listed("one_of", name)]


def mark_of(key: str) -> str:
    """The column that marks the rows which are totals over a key: `grade_key` -> `is_grade_total`."""
    stem = key.removesuffix("_code").removesuffix("_key")
    return f"is_{stem}_total"


def footnotes(mart: str, columns: Sequence[str]) -> list[tuple[str, str]]:
    """What readers of a mart must know because it has certain columns, in Chinese and English."""
    return [
        (zh, en)
        for pattern, (zh, en) in _notes().items()
        if any(ranges.fits(pattern, mart, column) for column in columns)
    ]


def unused(marts: Mapping[str, Sequence[str]]) -> list[str]:
    """Declared names that fit no column of any mart (name -> its columns)."""
    named = [(mart, column) for mart, columns in marts.items() for column in columns]
    patterns = [*(p for part in _declared().values() for p in part), *_notes()]
    return [p for p in patterns if not any(ranges.fits(p, mart, column) for mart, column in named)]


def _over(mart: str, column: str, grain: Sequence[str]) -> list[str] | None:
    if column in grain or _is_listed("attributes", column, mart):
        return None
    declared = ranges.first(_declared()["measures"], mart, column)
    if declared is None:
        raise ContractError(f"{mart}.{column}: may it be summed? Declare it in {FILE.name}")
    summed = [key for key in grain if not _is_listed("one_of", key)]
    if declared == "flow":
        return summed
    if declared == "stock":
        return [key for key in summed if not _is_listed("moments", key)]
    over: list[str] = [] if declared == "never" else declared
    if alien := set(over) - set(summed):
        raise ContractError(f"{mart}.{column}: {', '.join(sorted(alien))} can be no key to sum over")
    return [key for key in summed if key in over]


def _is_listed(part: str, column: str, mart: str = "") -> bool:
    return any(ranges.fits(pattern, mart, column) for pattern in _declared()[part])


@cache
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = parse_yaml(FILE.read_text("utf-8"))
    return declared


@cache
def _notes() -> dict[str, tuple[str, str]]:
    notes: dict[str, tuple[str, str]] = parse_yaml(NOTES.read_text("utf-8"))
    return notes
