"""Files that the lake must not take for their sender: his code is unknown, or the file not his to hand in.

`truth/refused_files.csv` names each with what becomes of it and why. None of them is refused by a register
alone: which feed is read first in a lake's first run must not show.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from synthetic.city.catchments import catchment_file
from synthetic.city.figures import districts
from synthetic.city.forms import fill, office, send
from synthetic.city.part import Part
from synthetic.city.premises import facility_columns

_TRUTH = ("file", "sender_code", "dataset", "outcome", "reason")
# Districts by number that each kind surely meets in the last year; the others by its rate.
_SURELY = {"door_unknown_sender": (0, 1, 6), "door_not_for_dataset": (7,), "door_other_district": (2,)}
# Dongcheng and Xicheng took two districts over in 2010, and somebody still writes the old codes.
_OLD_CODES = {0: "110103", 1: "110104"}
_NOBODY = "9999"
_MOST_ROWS = 3


def write_strangers(part: Part) -> None:
    """The few files of a district and year that came under a wrong code, and the truth about them."""
    kinds: dict[str, Callable[[Part], tuple[str, ...] | None]] = {
        "door_unknown_sender": _of_nobody,
        "door_not_for_dataset": _of_a_school,
        "door_other_district": _of_a_neighbor,
    }
    code, rows = districts()[part.number].code, []
    for kind, write in kinds.items():
        surely = part.is_last and part.number in _SURELY[kind]
        if part.faults.hits(kind, f"{code}/{part.year}", surely) and (row := write(part)):
            part.faults.note(kind, row[0])
            rows.append(row)
    part.truth.write("refused_files", _TRUTH, rows)


def _of_nobody(part: Part) -> tuple[str, ...] | None:
    """Some of the district's halls, under a code that is no longer, or never was, a district's."""
    sender = _OLD_CODES.get(part.number, _NOBODY)
    return _halls(part, sender, facility_columns(part), "sender_unknown")


def _of_a_school(part: Part) -> tuple[str, ...] | None:
    """A school's own halls, sent by the school itself."""
    columns = facility_columns(part)
    if not columns["school_code"]:
        return None
    school = columns["school_code"][0]
    own = [n for n, code in enumerate(columns["school_code"]) if code == school]
    mine = {name: [values[n] for n in own] for name, values in columns.items()}
    return _halls(part, school, mine, "sender_not_for_dataset")


def _halls(part: Part, sender: str, columns: dict[str, list[Any]], reason: str) -> tuple[str, ...] | None:
    dress = office(part.seed, part.number, "shared_facility")
    some = {name: values[:_MOST_ROWS] for name, values in columns.items()}
    if not some["facility_code"]:
        return None
    day, stem = date(part.year, 10, 24), f"共享场馆设施_{part.year}"
    # The delivery's number keeps two districts apart that use the same code.
    filled = fill("shared_facility", some, dress)
    file = send(part.landing, "shared_facility", sender, day, stem, filled, dress, number=part.number + 1)
    return file, sender, "shared_facility", "refused", reason


def _of_a_neighbor(part: Part) -> tuple[str, ...] | None:
    """The next district's catchments, uploaded once more as its own; there are some in the last year only."""
    if not part.is_last:
        return None
    code, day = districts()[part.number].code, date(part.year, 5, 27)
    data, count = catchment_file(part, (part.number + 1) % len(districts()))
    name = f"学校服务片区_{part.year}（副本）.csv"
    part.landing.put("place_demand", code, day, name, data, count)
    return f"place_demand/{code}/{day}_1/{name}", code, "catchment", "held", "other_district"
