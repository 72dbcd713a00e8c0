"""Bounds that depend on other columns of the row (for example sex and grade), as dated data.

A contract names the columns in `bounds_by` and the file in `bounds`. A column's own bounds hold as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise

from jobs.declare import standards
from jobs.declare.model import Contract, ContractError

LIMITS = ("ask_from", "ask_to", "refuse_from", "refuse_to")


@dataclass(frozen=True)
class Bound:
    """The usual (`ask_*`) and the possible (`refuse_*`) range of one column for one combination of `by`.

    It holds from `valid_from` until the day before `valid_to`; None is no bound. `by` are values as the lake
    keeps them.
    """

    column: str
    by: tuple[str, ...]
    ask_from: float | None
    ask_to: float | None
    refuse_from: float | None
    refuse_to: float | None
    valid_from: date
    valid_to: date | None
    source: str


@cache
def load(name: str, by: tuple[str, ...]) -> tuple[Bound, ...]:
    """The bounds of `expectations/standards/<name>.csv`, in its order.

    Raises ContractError where two rows hold on one day, or a usual value would be impossible.
    """
    path = standards.file(name)
    found = tuple(_bound(path.name, row, by) for row in standards.rows(name))
    spans: dict[tuple[str, ...], list[Bound]] = defaultdict(list)
    for bound in found:
        spans[bound.column, *bound.by].append(bound)
    for key, own in spans.items():
        own.sort(key=lambda b: b.valid_from)
        for earlier, later in pairwise(own):
            if earlier.valid_to is None or earlier.valid_to > later.valid_from:
                raise ContractError(f"{path.name}: two bounds of {', '.join(key)} on {later.valid_from}")
    return found


def _bound(file: str, row: dict[str, str], by: tuple[str, ...]) -> Bound:
    try:
        limits = {name: float(row[name]) if row[name] else None for name in LIMITS}
        bound = Bound(
            column=row["column_name"],
            by=tuple(row[name] for name in by),
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            source=row["source"],
            **limits,
        )
    except (KeyError, ValueError) as error:
        raise ContractError(f"{file}: {row}: {error}") from error
    ordered = [n for n in (bound.refuse_from, bound.ask_from, bound.ask_to, bound.refuse_to) if n is not None]
    if ordered != sorted(ordered):
        raise ContractError(f"{file}: bounds of {bound.column} for {', '.join(bound.by)} are not in order")
    return bound


def of(contract: Contract) -> tuple[Bound, ...]:
    """The bounds of a contract's columns; rows of the file on other columns are another contract's."""
    if contract.bounds is None:
        return ()
    own = {column.name for column in contract.columns}
    return tuple(b for b in load(contract.bounds, contract.bounds_by) if b.column in own)


def columns(contract: Contract) -> list[str]:
    """The names of the contract's columns that have such bounds, in the contract's order."""
    bounded = {bound.column for bound in of(contract)}
    return [column.name for column in contract.columns if column.name in bounded]


def today(bounds: Iterable[Bound]) -> list[Bound]:
    """The bounds without a last day: those that senders are asked to keep."""
    return [bound for bound in bounds if bound.valid_to is None]
