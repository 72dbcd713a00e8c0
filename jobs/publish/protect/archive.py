"""The cells of every release ever published: what an outsider may have kept, and what was behind hidden ones.

A row stands for a cell from the release where it changed until the next row of the same cell. The table lies
in the restricted zone, for it holds hidden counts; they are sums, and no row is about a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from jobs.lake import tables
from jobs.publish.protect.rules import Panel
from jobs.publish.protect.states import SHOWN, State
from jobs.settings import Settings

TABLE = "ops__public_cell"

# A group of rows that add up: its table, the first count of its panel, and the values of its key.
GroupKey = tuple[str, str, str]
# Unit and column of a cell -> its count and why it is hidden.
Cells = dict[tuple[str, str], tuple[int, str]]


def group_key(panel: Panel, values: Sequence[object]) -> GroupKey:
    """The name of a group, the same in every release."""
    return panel.rule.table, panel.counts[0].column, json.dumps([str(value) for value in values])


@dataclass(frozen=True)
class Archive:
    """Group -> release -> the cells that changed in it, oldest first; and the run that made each release."""

    changes: Mapping[GroupKey, Mapping[int, Cells]] = field(default_factory=dict)
    runs: Mapping[int, str] = field(default_factory=dict)

    def next_number(self, kept: int, run_id: str) -> int:
        """The number of the release after `kept`, the newest folder: not one that another run has used.

        A run that was killed before its folder stood may have left its cells here.
        """
        used = [number for number, run in self.runs.items() if run != run_id]
        return max([kept, *used]) + 1

    def before(self, number: int) -> Archive:
        """The archive without this release and later ones."""
        changes = {
            group: {told: cells for told, cells in found.items() if told < number}
            for group, found in self.changes.items()
        }
        return Archive(changes, {told: run for told, run in self.runs.items() if told < number})

    def units(self, group: GroupKey) -> set[str]:
        """All units that a group ever had."""
        return {unit for cells in self.changes.get(group, {}).values() for unit, _ in cells}

    def states(self, group: GroupKey, panel: Panel, units: Sequence[str]) -> list[State]:
        """What each release showed of a group that changed it."""
        places = {
            (unit, count.column): (row, place)
            for row, unit in enumerate(units)
            for place, count in enumerate(panel.counts)
        }
        values = np.zeros((len(units), len(panel.counts)), dtype=np.int64)
        labels = np.full(values.shape, SHOWN, dtype="<U1")
        found = []
        for cells in self.changes.get(group, {}).values():
            for cell, (value, label) in cells.items():
                values[places[cell]], labels[places[cell]] = value, label
            found.append(State(values.copy(), labels.copy()))
        return found

    def newest_cells(self, group: GroupKey) -> Cells:
        """The cells of a group as the newest release has them; those that are gone count nobody."""
        found: Cells = {}
        for cells in self.changes.get(group, {}).values():
            found |= cells
        return found


def read(settings: Settings) -> Archive:
    """The archive of a site; empty before its first release."""
    order = ("table_name", "panel", "group_key", "release_number")
    rows = sorted(tables.rows(settings, TABLE), key=lambda row: [row[name] for name in order])
    changes: dict[GroupKey, dict[int, Cells]] = {}
    for (table, panel, group, number), own in groupby(rows, lambda row: tuple(row[n] for n in order)):
        changes.setdefault((table, panel, group), {})[number] = {
            (row["unit"], row["column_name"]): (row["scaled_count"], row["hidden_because"]) for row in own
        }
    return Archive(changes, {row["release_number"]: row["run_id"] for row in rows})


def append(
    settings: Settings, number: int, run_id: str, past: Archive, shown: Mapping[GroupKey, Cells]
) -> None:
    """Keep what release `number` shows, where it differs from the one before. A repetition adds nothing."""
    rows = [{"run_id": run_id, **row} for row in _changed(number, past, shown)]
    tables.append_rows(settings, TABLE, rows, f"release/{number}/{run_id}", run_id)


def _changed(number: int, past: Archive, shown: Mapping[GroupKey, Cells]) -> Iterable[dict[str, object]]:
    for group in sorted({*past.changes, *shown}):
        before, after = past.newest_cells(group), shown.get(group, {})
        for cell in sorted({*before, *after}):
            now = after.get(cell, (0, SHOWN))
            if now != before.get(cell, (0, SHOWN)) or (cell not in before and group not in past.changes):
                yield {
                    "release_number": number,
                    "table_name": group[0],
                    "panel": group[1],
                    "group_key": group[2],
                    "unit": cell[0],
                    "column_name": cell[1],
                    "scaled_count": now[0],
                    "hidden_because": now[1],
                }
