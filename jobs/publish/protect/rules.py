"""What a public table declares of its counts (`protect` in the `meta` of its dbt model), and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jobs.publish.release import ReleaseError


@dataclass(frozen=True)
class Count:
    """A column that counts persons. `part_of` is the count that its share is taken of, `within` a larger
    part of the same; `hidden_with` are columns that would give it back, such as the share.
    """

    column: str
    reason: str
    part_of: str | None = None
    within: str | None = None
    hidden_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class AddsUp:
    """Rows with `parts` in column `by` add up to the row with `whole`; column `over` tells parts apart."""

    by: str
    whole: str
    parts: str
    over: str


@dataclass(frozen=True)
class Rule:
    """The rule of a public table. `key` identifies a row; `harmless` says why others tell of nobody."""

    table: str
    key: tuple[str, ...]
    counts: tuple[Count, ...]
    adds_up: AddsUp | None
    harmless: Mapping[str, str]

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Counts that speak about one another, together; any other by itself."""
        whole = [count for count in self.counts if count.part_of is None]
        return tuple(
            Panel(self, tuple(c for c in self.counts if root.column in (c.column, c.part_of)))
            for root in whole
        )

    @property
    def grouping(self) -> tuple[str, ...]:
        """The key's columns that rows which add up have in common."""
        if self.adds_up is None:
            return self.key
        return tuple(name for name in self.key if name not in (self.adds_up.by, self.adds_up.over))


@dataclass(frozen=True)
class Form:
    """A number of persons that a row tells, directly or as a difference: `weights` over a panel's counts.

    It is small from `least` on: a part of nobody tells as much as a part of one. `owner` is hidden for it.
    """

    weights: tuple[int, ...]
    least: int
    owner: int


@dataclass(frozen=True)
class Panel:
    """Counts of one table that are hidden by one proof; the first is the whole of all others."""

    rule: Rule
    counts: tuple[Count, ...]

    @cached_property
    def forms(self) -> tuple[Form, ...]:
        """All that a row tells: the whole, each part and what it leaves, and the steps between parts."""
        places = {count.column: place for place, count in enumerate(self.counts)}

        def weights(plus: int, minus: int | None = None) -> tuple[int, ...]:
            return tuple((p == plus) - (p == minus) for p in range(len(self.counts)))

        found = [Form(weights(0), 1, 0)]
        for part in range(1, len(self.counts)):
            found += [Form(weights(part), 0, part), Form(weights(0, part), 0, part)]
        for place, count in enumerate(self.counts):
            if count.within is not None:
                found.append(Form(weights(places[count.within], place), 1, place))
        return tuple(found)

    @cached_property
    def nested(self) -> tuple[tuple[int, int], ...]:
        """(part, larger) places: the part is never the larger number."""
        places = {count.column: place for place, count in enumerate(self.counts)}
        pairs = [(place, 0) for place in range(1, len(self.counts))]
        return (*pairs, *((places[c.column], places[c.within]) for c in self.counts if c.within))


def read_rule(table: str, meta: Mapping[str, Any] | None) -> Rule:
    """The rule of a public table. Raises ReleaseError where there is none or it contradicts itself."""
    if meta is None:
        raise ReleaseError(f"{table} is public and declares no `protect`: what it counts and what adds up")
    counts = tuple(
        Count(column, **told | {"hidden_with": tuple(told.get("hidden_with", ()))})
        for column, told in meta.get("counts", {}).items()
    )
    adds_up = AddsUp(**meta["adds_up"]) if "adds_up" in meta else None
    rule = Rule(table, tuple(meta["key"]), counts, adds_up, meta.get("harmless", {}))
    wholes = {count.column for count in counts if count.part_of is None}
    for count in counts:
        siblings = {c.column for c in counts if c.part_of == count.part_of}
        is_known = count.part_of is None or count.part_of in wholes
        if not is_known or (count.within is not None and count.within not in siblings):
            raise ReleaseError(f"{table}: {count.column} is part of what the table does not count")
    if adds_up is not None and not {adds_up.by, adds_up.over} <= set(rule.key):
        raise ReleaseError(f"{table}: what adds up is not told apart by its key")
    return rule
