"""Known future events: units that open, close or change their grades, and the pupils who move with them.

Pupils only move. Those of a closing unit go to its successor, else to units of the same parent; an opening
unit takes from those. So the total does not change, nor do parents that have a unit left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs.decide.places.input_file import InputError, read_rows
from jobs.decide.places.panel import Bools, Floats, Ints, Panel
from jobs.decide.places.supply import parted

COLUMNS = ("unit", "year", "event")
KINDS = ("open", "close", "span")
MOST_DRAWN = 0.9  # of a grade that an opening unit can draw from those beside it
MOST_STAY = 1.2  # pupils of an added grade per pupil of the grade below


@dataclass(frozen=True)
class Event:
    """From the autumn of `year` on, `unit` teaches `grades` and no others; none: it is closed.

    `partners` take the pupils of grades that go, and give those of grades that come; without any, the units
    of the same parent do, by size. An opening unit has `pupils` a grade, or the `share` of what its givers
    have; without either, as much as one of them. `known`: first origin that may use it."""

    unit: str
    year: int
    grades: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    parent: str = ""
    pupils: float | None = None
    share: float | None = None
    known: int | None = None


def read_events(path: Path, panel: Panel) -> list[Event]:
    """Read `unit,year,event[,successor_unit,parent_unit,grades,pupils,known_year]` (CSV), one event a line.

    `event` is open, close or span. `successor_unit` (several: `A;B`) takes the pupils of what closes and
    gives those of what opens. `grades` are what is taught from then on (`K-5`, `7;8`), needed for open and
    span. Blank `known_year`: the year before it happens, at the latest the last year of the enrollment.
    Raises InputError."""
    frame = read_rows(path, COLUMNS)
    file, last = str(path), int(panel.years[-1])
    units, rows = set(panel.units), frame.to_dict("records")
    found = []
    opened = {str(r["unit"]).strip() for r in rows if str(r["event"]).strip().lower() == "open"}
    for line, cells in enumerate(rows, start=2):
        row = {str(name): str(value).strip() for name, value in cells.items()}
        if not any(row.values()):
            continue
        unit, kind = row["unit"], row["event"].lower()

        def refuse(problem: str, column: str, line: int = line) -> InputError:
            return InputError(problem, file, line, column)

        def number(column: str, row: Mapping[str, str] = row, refuse: Any = refuse) -> float | None:
            text = row.get(column, "")
            if not text:
                return None
            try:
                value = float(text)
            except ValueError as error:
                raise refuse("not a number", column) from error
            if not 0 <= value < 1e9 or (column != "pupils" and value % 1):
                raise refuse("not a number that can be", column)
            return value

        year = number("year")
        if not unit or year is None:
            raise refuse("blank", "year" if unit else "unit")
        if kind not in KINDS:
            raise refuse(f"{row['event']!r} is none of {', '.join(KINDS)}", "event")
        partners = tuple(p.strip() for p in row.get("successor_unit", "").split(";") if p.strip())
        for name, column in ((unit, "unit"), *((p, "successor_unit") for p in partners)):
            if name not in units | opened:
                raise refuse(f"{name!r} is no unit of the enrollment file, and no line opens it", column)
        grades = _span(row.get("grades", ""), panel.grades)
        if grades is None or (kind != "close") != bool(grades):
            wanted = "no grades for close" if kind == "close" else f"grades out of {', '.join(panel.grades)}"
            raise refuse(f"{row.get('grades', '')!r}: {wanted}", "grades")
        known = number("known_year")
        found.append(
            Event(
                unit,
                int(year),
                grades,
                partners,
                row.get("parent_unit", ""),
                number("pupils"),
                known=min(int(year) - 1, last) if known is None else int(known),
            )
        )
    return found


def _span(text: str, grades: Sequence[str]) -> tuple[str, ...] | None:
    """`K-5`, `7;8` or `all of it` as grades; None where a word is no grade."""
    found: list[str] = []
    for word in (w.strip() for w in text.split(";") if w.strip()):
        if word in grades:
            found.append(word)
            continue
        ends = re.fullmatch(r"(.+?)\s*-\s*(.+)", word)
        if not ends or ends[1] not in grades or ends[2] not in grades:
            return None
        found += grades[grades.index(ends[1]) : grades.index(ends[2]) + 1]
    return tuple(dict.fromkeys(found))


def with_units(panel: Panel, points: Floats, events: Iterable[Event]) -> tuple[Panel, Floats]:
    """The panel and its forecasts with the units that only events name, which have no pupils yet."""
    new: dict[str, str] = {}
    at = {unit: n for n, unit in enumerate(panel.units)}
    for event in sorted(events, key=lambda e: e.year):
        own = panel.parents[panel.parent_of[-1, at[event.unit]]] if event.unit in at and panel.parents else ""
        if event.unit not in at:
            new.setdefault(event.unit, event.parent)
        for partner in event.partners:
            if partner not in at and not event.grades:  # another code goes on with the pupils
                new.setdefault(partner, own)
    if not new:
        return panel, points
    parents = list(panel.parents)
    parents += [p for p in dict.fromkeys(new.values()) if parents and p not in parents]
    code = np.array([parents.index(p) if parents else 0 for p in new.values()], dtype=np.int64)
    years, count = len(panel.years), len(new)
    more = replace(
        panel,
        units=[*panel.units, *new],
        parents=parents,
        parent_of=np.concatenate([panel.parent_of, np.tile(code, (years, 1))], axis=1),
        pupils=_padded(panel.pupils, count),
        listed=_padded(panel.listed, count),
    )
    return more, np.concatenate([points, np.zeros((*points.shape[:2], count, points.shape[3]))], axis=2)


def _padded(values: Any, count: int) -> Any:
    return np.concatenate([values, np.zeros((len(values), count, *values.shape[2:]), values.dtype)], axis=1)


def apply(points: Floats, panel: Panel, i: int, events: Iterable[Event]) -> tuple[Floats, Bools]:
    """Whole pupils [lead, unit, grade] as forecast from year `i`, after the events known then that are still
    to come; and which units (`listed` or opened) have rows."""
    origin = int(panel.years[i])
    due = [e for e in events if e.year > origin and (e.known is None or e.known <= origin)]
    shown = np.array(panel.listed[i])
    if not due:
        return points, shown
    at = {unit: n for n, unit in enumerate(panel.units)}
    plan: dict[int, list[Event]] = {}
    for event in sorted(due, key=lambda e: e.year):
        plan.setdefault(at[event.unit], []).append(event)
    state = _State(np.array(points), panel, i, at, plan)
    for h in range(len(points)):
        state.year(h, origin + h + 1)
    shown |= state.pupils.sum((0, 2)) > points.sum((0, 2))
    shown[[at[e.unit] for e in due if e.grades]] = True
    return state.pupils, shown


@dataclass
class _State:
    pupils: Floats  # [lead, unit, grade]
    panel: Panel
    i: int
    at: Mapping[str, int]
    plan: Mapping[int, Sequence[Event]]

    def year(self, h: int, year: int) -> None:
        """Apply the year's events: first what closes, then what opens."""
        now = {
            unit: happened[-1]
            for unit, of_unit in self.plan.items()
            if (happened := [e for e in of_unit if e.year <= year])
        }
        teaches = {
            unit: {self.panel.grades.index(g) for g in event.grades if g in self.panel.grades}
            for unit, event in now.items()
        }
        pupils = self.pupils[h]
        for unit, event in now.items():
            for grade in np.flatnonzero(pupils[unit]).tolist():
                if grade not in teaches[unit]:
                    self._give(h, unit, grade, self._takers(h, unit, grade, event, now, teaches))
        for unit, event in now.items():
            for grade in sorted(teaches[unit]):
                if pupils[unit, grade] == 0:
                    self._draw(h, unit, grade, event, teaches)

    def _give(self, h: int, unit: int, grade: int, takers: Ints) -> None:
        pupils = self.pupils[h]
        weight = pupils[takers, grade] if pupils[takers, grade].sum() else pupils[takers].sum(1)
        if len(takers):
            pupils[takers, grade] += parted(int(pupils[unit, grade]), weight)
        pupils[unit, grade] = 0

    def _takers(
        self,
        h: int,
        unit: int,
        grade: int,
        event: Event,
        now: Mapping[int, Event],
        teaches: Mapping[int, set[int]],
    ) -> Ints:
        """Who takes a grade: the successors (or theirs, if closed too); else units of the same parent."""
        named, seen, waiting = [], {unit}, [self.at[p] for p in event.partners if p in self.at]
        while waiting:
            other = waiting.pop(0)
            if other in seen:
                continue
            seen.add(other)
            if other not in teaches or grade in teaches[other]:
                named.append(other)
            else:
                waiting += [self.at[p] for p in now[other].partners if p in self.at]
        if named:
            return np.array(named, dtype=np.int64)
        return self._beside(h, unit, grade, teaches, need_grade=False)

    def _beside(
        self,
        h: int,
        unit: int,
        grade: int,
        teaches: Mapping[int, set[int]],
        need_grade: bool,
        near: bool = False,
    ) -> Ints:
        """Units of the same parent that teach the grade, else (unless it is needed) any of them; else, unless
        they must be `near`, the same of all units."""
        pupils = self.pupils[h]
        free = np.ones(len(pupils), dtype=bool)
        free[[u for u, span in teaches.items() if grade not in span]] = False
        free[unit] = False
        kin = self.panel.parent_of[self.i] == self.panel.parent_of[self.i, unit]
        for group in (kin,) if near else (kin, np.ones_like(kin)):
            for has in (pupils[:, grade] > 0, pupils.sum(1) > 0):
                found = np.flatnonzero(free & group & has)
                if len(found):
                    return found
                if need_grade:
                    break
        return np.zeros(0, dtype=np.int64)

    def _draw(self, h: int, unit: int, grade: int, event: Event, teaches: Mapping[int, set[int]]) -> None:
        """Pupils of a grade that opens: those of the grade below move up; else as many as the event says."""
        pupils = self.pupils[h]
        named = [self.at[p] for p in event.partners if p in self.at and pupils[self.at[p], grade] > 0]
        named = [u for u in named if u != unit and grade in teaches.get(u, {grade})]
        givers = np.array(named, dtype=np.int64)
        if not named:
            givers = self._beside(h, unit, grade, teaches, need_grade=True, near=bool(event.partners))
        there = float(pupils[givers, grade].sum())
        before = self.pupils[h - 1] if h else self.panel.pupils[self.i]
        below = float(before[unit, grade - 1]) if grade else 0.0
        if below > 0:
            whole = float(before[:, grade - 1].sum())
            wanted = below * min(float(pupils[:, grade].sum()) / whole, MOST_STAY)
        elif event.pupils is not None:
            wanted = event.pupils
        elif event.share is not None:
            wanted = event.share * there
        elif grade + 1 < pupils.shape[1] and pupils[unit, grade + 1] > 0:
            wanted = float(pupils[unit, grade + 1])
        else:
            wanted = there / (len(givers) + 1)
        count = int(min(np.rint(wanted), np.floor(MOST_DRAWN * there)))
        if count > 0:
            pupils[givers, grade] -= parted(count, pupils[givers, grade])
            pupils[unit, grade] += count
