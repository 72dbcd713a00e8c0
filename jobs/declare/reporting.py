"""The reporting calendar: who owes which dataset by when (`expectations/calendar/`), as dated periods.

A file says for which jurisdictions it holds and what is due; `beijing.yaml` explains every key. Unknown keys
are errors, and every error names the file, the entry and the way out. Days are worked out by the site's own
calendar: a working day is one of Monday to Friday that is no public holiday, or a day that makes up for one.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs import clock
from jobs.declare.codes import code_list
from jobs.declare.contracts import load as contracts
from jobs.declare.model import ContractError
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

FOLDER = EXPECTATIONS / "calendar"

SenderKind = Literal["district", "city", "school"]
Every = Literal["school_year", "term", "calendar_year", "half_year", "month"]
# Which kinds of sender a contract's `sender` may be owed by.
OWED_BY: dict[str, tuple[str, ...]] = {
    "district": ("district",),
    "reporting_unit": ("district", "school"),
    "school": ("school",),
    "city": ("city",),
    "contributor": ("district", "city", "school"),
}
# Why no school is taught though offices work.
_AT_WORK = ("vacation", "closure")
_ONE_DAY = timedelta(days=1)


class _Part(BaseModel):
    """A part of a file: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Day(_Part):
    """A day told from a period: the first `by` (MM-DD) on or after its begin or end, or so many days after.

    Of the days that are counted the anchor itself is none.
    """

    after: Literal["begins", "ends"]
    by: Annotated[str | None, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] = None
    days: Annotated[int | None, Field(ge=0, le=400)] = None
    workdays: Annotated[int | None, Field(ge=0, le=250)] = None
    school_days: Annotated[int | None, Field(ge=0, le=250)] = None

    @model_validator(mode="after")
    def _is_told_once(self) -> Day:
        told = [self.by, self.days, self.workdays, self.school_days]
        if sum(one is not None for one in told) != 1:
            raise ValueError("give one of by, days, workdays, school_days")
        if self.by == "02-29":
            raise ValueError("29 February is not in every year; give 02-28 or 03-01")
        return self


class Due(_Part):
    """One entry: a dataset that a kind of sender owes for each period from `valid_from` until `valid_to`."""

    dataset: str
    senders: SenderKind
    types: tuple[str, ...] = ()
    every: Every
    opens: Day
    due: Day
    moves: Literal["next", "previous", "stays"] = "next"
    valid_from: date
    valid_to: date | None = None
    basis: Annotated[str, Field(min_length=1)]


class File(_Part):
    """One file of the calendar."""

    jurisdictions: Annotated[tuple[str, ...], Field(min_length=1)]
    due: Annotated[tuple[Due, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Period:
    """What one kind of sender owes once: a dataset for a period, from `opens` until `due` at the latest."""

    dataset: str
    senders: SenderKind
    types: tuple[str, ...]
    period: str
    begins: date
    ends: date
    opens: date
    due: date
    basis: str


@dataclass(frozen=True)
class Days:
    """A site's days: on which schools teach, and on which offices work. Beyond them, Monday to Friday."""

    school: Mapping[date, bool] = field(default_factory=dict)
    reasons: Mapping[date, str] = field(default_factory=dict)

    def is_school_day(self, day: date) -> bool:
        return self.school.get(day, day.weekday() < 5)

    def is_workday(self, day: date) -> bool:
        reason = self.reasons.get(day, "")
        if reason == "make_up_day":
            return True
        return day.weekday() < 5 and (not reason or reason.startswith(_AT_WORK))


def days_of(calendar: Path | None) -> Days:
    """The days of a site's calendar file; without one, Monday to Friday are working and school days."""
    return _days(calendar) if calendar else Days()


@cache
def _days(calendar: Path) -> Days:
    with calendar.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    of_row = [(date.fromisoformat(row["date"]), row) for row in rows]
    return Days(
        {day: row["is_school_day"] == "1" for day, row in of_row},
        {day: row.get("reason") or "" for day, row in of_row},
    )


def files(folder: Path = FOLDER) -> dict[str, File]:
    """Name -> every file of the calendar. Raises ContractError for a mistake in one of them."""
    return {path.name: _read(path) for path in sorted(folder.glob("*.yaml"))}


def load(jurisdictions: Sequence[str], folder: Path = FOLDER) -> tuple[Due, ...]:
    """What is due at a site of these jurisdictions, in the files' order; nothing where no file holds there.

    Raises ContractError for a mistake in any of the files, also in those of other jurisdictions.
    """
    here = {n: f for n, f in files(folder).items() if {*f.jurisdictions} & {*jurisdictions}}
    found = [(name, one) for name, file in here.items() for one in file.due]
    _check_overlaps(found)
    return tuple(one for _, one in found)


@cache
def _read(path: Path) -> File:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ContractError(f"calendar/{path.name}: this is no YAML: {error}") from error
    try:
        found = File.model_validate(content)
    except ValidationError as invalid:
        raise ContractError("\n".join(_told(path, content, dict(e)) for e in invalid.errors())) from None
    for number, one in enumerate(found.due):
        if problem := _problem(one):
            raise ContractError(f"calendar/{path.name}: due[{number}] ({one.dataset}): {problem}")
    return found


def _told(path: Path, content: Any, error: Mapping[str, Any]) -> str:
    """A mistake that the model found: file, entry, key, and what would be right."""
    place = list(error["loc"])
    where, entry = ".".join(map(str, place)), ""
    if place[:1] == ["due"] and len(place) > 1 and isinstance(content["due"][place[1]], dict):
        entry = f" ({content['due'][place[1]].get('dataset', '?')})"
        where = f"due[{place[1]}]" + "".join(f".{part}" for part in place[2:])
    told = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        of_depth: dict[int, type[BaseModel]] = {1: File, 2: Due}
        model = of_depth.get(len(place) - 1, Day)
        near = difflib.get_close_matches(str(place[-1]), list(model.model_fields), 1)
        told = f"there is no such key; {f'did you mean {near[0]}' if near else 'remove it'}"
        told += f" (keys: {', '.join(model.model_fields)})"
    return f"calendar/{path.name}: {where or 'the file'}{entry}: {told}"


def _problem(one: Due) -> str | None:
    """What is wrong with an entry beside other declarations, and the way out; None where nothing is."""
    contract = contracts().get(one.dataset)
    if contract is None:
        near = difflib.get_close_matches(one.dataset, list(contracts()), 1)
        return f"dataset: no contract has this name; {f'did you mean {near[0]}' if near else 'see feed list'}"
    owed_by = OWED_BY[contract.sender]
    if one.senders not in owed_by:
        right = " or ".join(owed_by)
        return f"senders: {one.senders} never sends it (contract: {contract.sender}); give {right}"
    if one.types and one.senders != "school":
        return "types: only schools have types; remove it, or give senders: school"
    known = code_list("school_type_prefix").codes()
    if unknown := [code for code in one.types if code not in known]:
        return f"types: no kind of school has the code {unknown[0]}; see codes/school_type_prefix.csv"
    if one.valid_to and one.valid_to <= one.valid_from:
        return "valid_to: it must come after valid_from; remove the entry where it never held"
    return None


def _check_overlaps(found: Sequence[tuple[str, Due]]) -> None:
    by_scope: dict[tuple[str, str], list[tuple[str, Due]]] = {}
    for name, one in found:
        by_scope.setdefault((one.dataset, one.senders), []).append((name, one))
    for own in by_scope.values():
        for (_, earlier), (name, later) in pairwise(sorted(own, key=lambda pair: pair[1].valid_from)):
            if earlier.valid_to is None or earlier.valid_to > later.valid_from:
                raise ContractError(
                    f"calendar/{name}: {later.dataset} of {later.senders}: two entries hold on"
                    f" {later.valid_from}; give the earlier one valid_to: {later.valid_from}"
                )


def periods(due: Iterable[Due], days: Days, until: date) -> list[Period]:
    """Every period that has opened by a day, in the order in which they are due.

    Raises ContractError for an entry that is due before it opens.
    """
    found = [one for entry in due for one in _of_entry(entry, days, until)]
    return sorted(found, key=lambda one: (one.due, one.dataset, one.senders, one.period))


def _of_entry(entry: Due, days: Days, until: date) -> Iterator[Period]:
    # An opening may lie far behind the begin, but not before it.
    for label, begins, ends in _spans(entry.every, entry.valid_from.year - 1, until.year):
        if begins < entry.valid_from or begins > until or (entry.valid_to and begins >= entry.valid_to):
            continue
        opens = _day(entry.opens, begins, ends, days)
        due = _moved(_day(entry.due, begins, ends, days), entry.moves, days)
        if due < opens:
            raise ContractError(
                f"calendar: {entry.dataset} of {label} is due on {due}, before it opens on {opens};"
                " move opens or due"
            )
        if opens <= until:
            told = entry.dataset, entry.senders, entry.types
            yield Period(*told, label, begins, ends, opens, due, entry.basis)


def _spans(every: Every, first: int, last: int) -> Iterator[tuple[str, date, date]]:
    """Label, first day and last day of each span of the kind that begins in these years."""
    for year in range(first, last + 1):
        begins: list[tuple[str, date]]
        if every == "school_year":
            begins = [(f"{year}-{year + 1}", clock.first_day(year))]
        elif every == "term":
            terms = [(clock.school_year(day), n, day) for n, day in _terms(year)]
            begins = [(f"{start}-{start + 1}-{n}", day) for start, n, day in terms]
        elif every == "calendar_year":
            begins = [(f"{year}", date(year, 1, 1))]
        elif every == "half_year":
            begins = [(f"{year}-H{n}", date(year, 6 * n - 5, 1)) for n in (1, 2)]
        else:
            begins = [(f"{year}-{n:02}", date(year, n, 1)) for n in range(1, 13)]
        for label, day in begins:
            yield label, day, _last_day(every, day)


def _terms(year: int) -> list[tuple[int, date]]:
    return [(n, date(year, *clock.TERM_BEGINS[n])) for n in (2, 1)]


def _last_day(every: Every, begins: date) -> date:
    if every == "term":
        is_second = clock.term(begins)[1] == 2
        return clock.first_day(begins.year) - _ONE_DAY if is_second else date(begins.year + 1, 1, 31)
    months = {"school_year": 12, "calendar_year": 12, "half_year": 6, "month": 1}[every]
    years, month = divmod(begins.month - 1 + months, 12)
    return date(begins.year + years, month + 1, 1) - _ONE_DAY


def _day(told: Day, begins: date, ends: date, days: Days) -> date:
    anchor = begins if told.after == "begins" else ends
    if told.by is not None:
        month, day = map(int, told.by.split("-"))
        found = date(anchor.year, month, day)
        return found if found >= anchor else date(anchor.year + 1, month, day)
    if told.days is not None:
        return anchor + timedelta(days=told.days)
    counts = days.is_workday if told.workdays is not None else days.is_school_day
    left = told.workdays if told.workdays is not None else told.school_days or 0
    while left:
        anchor += _ONE_DAY
        left -= counts(anchor)
    return anchor


def _moved(day: date, moves: str, days: Days) -> date:
    step = {"next": _ONE_DAY, "previous": -_ONE_DAY, "stays": None}[moves]
    while step is not None and not days.is_workday(day):
        day += step
    return day
