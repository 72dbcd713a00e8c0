"""Faults of real senders, by kind and rate. Every fault made is noted for `truth/`.

The standard rates stay below the share of refused lines at which a delivery is held.
No rates are published (reference: distributions.md, 5): they are assumptions.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np

from jobs.settings import UserError
from synthetic.city.numbers import Stream, stream
from synthetic.city.workbook import Cell


class Kind(NamedTuple):
    """`unit`: what the rate is a share of: lines of the files concerned (`line`), files (`file`), classes
    (`class`) or senders (`sender`).
    """

    meaning: str
    unit: str
    rate: float


# One bad line must stay under 2 % of a return, 5 % of a roll, 10 % of a school's results.
LEAST_ROWS_RETURN, LEAST_ROWS_ROLL, LEAST_ROWS_RESULT = 60, 40, 25

KINDS = {
    "roll_bad_check_digit": Kind("a pupil number whose check character does not fit: refused", "line", 5e-5),
    "roll_lost_digits": Kind("a pupil number that a spreadsheet turned into a float: refused", "line", 5e-5),
    "roll_unmapped_sex": Kind("a sex code that nobody mapped: kept and flagged", "line", 5e-5),
    "roll_double": Kind("one pupil on the rolls of two districts in one term", "line", 5e-5),
    "roll_swapped_sex": Kind("boy and girl exchanged: contradicts the identity number", "line", 5e-5),
    "roll_date_as_number": Kind("a birth date as a spreadsheet's day number: read as that day", "line", 1e-4),
    "roll_full_width": Kind("a pupil number in full-width digits: read all the same", "line", 1e-4),
    "roll_other_encoding": Kind("a roll in UTF-16, as one program's text export has it", "file", 0.02),
    "roll_text_as_workbook": Kind(
        "a roll named .xls that is tab-separated text, with apostrophes before numbers and NULL for nothing",
        "file",
        0.02,
    ),
    "roll_late": Kind("a roll that comes weeks after its day", "file", 0.03),
    "roll_sent_again": Kind("a roll's same bytes in a second delivery", "file", 0.02),
    "roll_corrected": Kind(
        "a whole roll again, with its faults mended and some classes changed", "file", 0.03
    ),
    "registration_date_as_number": Kind(
        "a birth date as a number in a workbook's cell: read as that day", "line", 5e-3
    ),
    "staff_unmapped_degree": Kind("a degree in words that nobody mapped: kept and flagged", "line", 1e-3),
    "use_repeated_line": Kind(
        "the same use of a resource twice in one file: the second is refused", "line", 1e-3
    ),
    "return_letters_in_count": Kind("a count written with a letter O: refused", "line", 5e-4),
    "result_height_in_metres": Kind("a height in metres: refused", "line", 3e-4),
    "result_letters_in_count": Kind(
        "pull-ups or sit-ups written as a Chinese numeral: refused", "line", 3e-4
    ),
    "result_other_sex_column": Kind(
        "a boy's 1000 m in the girls' column of 800 m, or the other way round: kept", "line", 3e-4
    ),
    "result_withdrawn": Kind("a later delivery that takes some rows back", "file", 0.01),
    "result_title_row": Kind(
        "a workbook with a title row and full-width brackets in its headings", "file", 0.01
    ),
    "result_sent_again": Kind("the same bytes in a second delivery", "file", 0.01),
    "result_corrected": Kind("a later delivery that corrects some rows", "file", 0.01),
    "incident_unmapped_type": Kind("a kind of incident that nobody mapped: kept and flagged", "line", 5e-4),
    "fabricated_heaped": Kind("results of a class rounded or thought of", "class", 0.004),
    "fabricated_copied_rows": Kind("results of some pupils given to others of the class", "class", 0.003),
    "fabricated_copied_columns": Kind("items copied from another class", "class", 0.003),
    "fabricated_last_year": Kind("last year's results of the same pupils", "class", 0.003),
    "fabricated_not_on_roll": Kind("results of pupils who are not in the school", "class", 0.003),
    "fabricated_at_threshold": Kind("results lifted to a step of the score table", "class", 0.003),
    "fabricated_too_good": Kind("a class in which all are good and alike", "class", 0.003),
    "damaged_weight_in_jin": Kind("weights of a class in 斤 instead of kg", "class", 0.002),
    "damaged_swapped_columns": Kind("boys' and girls' items in each other's columns", "class", 0.002),
    "resource_not_catalogued": Kind(
        "a resource of earlier years that the first catalogue leaves out: its uses have no entry",
        "line",
        0.02,
    ),
    "door_unknown_sender": Kind("a file under a sender's code that no list knows: refused", "file", 0.02),
    "door_not_for_dataset": Kind("a school's own file of what its district owes: refused", "file", 0.02),
    "door_other_district": Kind("another district's file under a district's own code: held", "file", 0.02),
    "facilities_never_sent": Kind("a district that never lists its shared halls and sites", "sender", 0.02),
}
# truth/reporting.csv: who owed what and did not send it, or sent it late; of the latter the day it came.
REPORTING_TRUTH = ("kind", "sender_code", "dataset", "period", "received_date")
NAMES = {name: kind.meaning for name, kind in KINDS.items()}
SETS: dict[str, dict[str, float]] = {
    "none": {},
    "standard": {name: kind.rate for name, kind in KINDS.items()},
}
_NUMBER = {name: n for n, name in enumerate(KINDS)}


def parse(text: str) -> dict[str, float]:
    """`none`, `standard`, or `kind=rate,kind=rate` (then only these; behind `standard,` these on top of it).

    A rate is a share from 0 to 1 of lines, files or classes, as `KINDS` says. Raises UserError that names the
    kinds there are.
    """
    rates: dict[str, float] = {}
    for nth, entry in enumerate(part.strip() for part in text.split(",")):
        if nth == 0 and entry in SETS:
            rates |= SETS[entry]
            continue
        name, _, number = (piece.strip() for piece in entry.partition("="))
        if name not in KINDS:
            raise UserError(
                f"there are no faults {name!r}.",
                f"Sets: {', '.join(SETS)}. Kinds, each with =rate: {', '.join(KINDS)}.",
            )
        try:
            rate = float(number)
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= 1:
            raise UserError(
                f"{entry!r} gives no rate for the fault.", f"Write a share from 0 to 1: {name}=0.01."
            )
        rates[name] = rate
    return {name: rate for name, rate in rates.items() if rate > 0}


@dataclass
class Faults:
    """The rates in force, and a note of each fault made: kind, file, line (a header is line 1), no values."""

    rates: dict[str, float]
    seed: int = 0
    notes: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def on(self) -> bool:
        return bool(self.rates)

    def note(self, kind: str, file: str, line: int = 0) -> None:
        assert kind in KINDS, kind
        self.notes.append((kind, file, line))

    def random(self, kind: str, file: str) -> np.random.Generator:
        """Draws for one kind in one file, independent of all others."""
        return stream(self.seed, Stream.FAULT, _NUMBER[kind], zlib.crc32(file.encode()))

    def hits(self, kind: str, file: str, surely: bool = False) -> bool:
        """Whether this file gets a fault of a kind that counts files. `surely`: if the kind is on at all."""
        rate = self.rates.get(kind, 0.0)
        return rate > 0 and (surely or bool(self.random(kind, file).random() < rate))

    def lines(self, kind: str, file: str, count: int, least_rows: int = 1, surely: bool = False) -> list[int]:
        """Which of `count` lines (from 0) get a fault of a kind that counts lines, in order.

        `surely`: at least one if the kind is on, so that a small city has every kind too.
        """
        rate = self.rates.get(kind, 0.0)
        if rate <= 0 or count < least_rows:
            return []
        rng = self.random(kind, file)
        wanted = int(rate * count + rng.random())
        wanted = max(wanted, int(surely))
        return sorted(rng.choice(count, min(wanted, count), replace=False).tolist())

    def damage(
        self,
        kind: str,
        file: str,
        rows: Sequence[list[Cell]],
        column: int,
        change: Callable[[Cell], Cell],
        least_rows: int = 1,
        surely: bool = False,
        first_line: int = 2,
    ) -> None:
        """Change a column's cell in some rows, in place; a cell that `change` gives None for stays."""
        for at in self.lines(kind, file, len(rows), least_rows, surely):
            damaged = change(rows[at][column])
            if damaged is not None:
                rows[at][column] = damaged
                self.note(kind, file, at + first_line)


def as_day_number(cell: Cell) -> Cell:
    """A day YYYYMMDD as a spreadsheet counts it, from 1899-12-30."""
    text = str(cell)
    if not (len(text) == 8 and text.isdigit()):
        return None
    day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return (day - date(1899, 12, 30)).days


def in_full_width(cell: Cell) -> Cell:
    """The cell with its ASCII characters in full width."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in str(cell))
