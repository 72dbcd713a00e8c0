"""Wide forms: a column of the key stands across, one heading for each of its values (一年级 … 六年级).

A contract declares it by `wide: {across: grade_key, value: pupil_count}`. The reader makes of each such
heading a table of its own, with the heading's word behind each line (`jobs.reading.wide`); this module says
what a heading of such a form is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from jobs.declare.codes import code_list
from jobs.declare.headings import heading_key, match
from jobs.declare.model import Contract

# Between a column's heading and its word, in the heading that the reader puts behind the sender's.
OF = "："
_TOTAL = re.compile(r"(合计|小计|总计|共计|累计|总数|总人数|total|sum)$")
_OF_VALUE = r"在校生数|在校人数|学生人数|学生数|出生人口|出生人数|在校生|人数|学生|出生"


@dataclass(frozen=True)
class Header:
    """A header of a wide form: its cells; where other columns stand; (place, word) of each value across."""

    contract: Contract
    cells: list[str]
    positions: Mapping[str, int]
    across: list[tuple[int, str]]


def word_of(contract: Contract, heading: str) -> str | None:
    """The value that a heading stands for (`三年级在校生数` is 三年级); None for one that is no value."""
    if not contract.wide:
        return None
    key = heading_key(heading)
    bare = re.sub(rf"^(?:{_OF_VALUE})|(?:{_OF_VALUE})$", "", key) or key
    column = contract.column(contract.wide["across"])
    if column.codes:
        return _words(column.codes).get(bare)
    return bare.rstrip("年") if re.fullmatch(r"(19|20)\d\d年?", bare) else None


def is_total(contract: Contract, heading: str) -> bool:
    """Whether a heading sums up others: 合计, 小学小计, or the value's own heading beside its parts."""
    if not contract.wide:
        return False
    key = heading_key(heading)
    value = {heading_key(one) for one in contract.column(contract.wide["value"]).headings}
    return key in value or _TOTAL.search(key) is not None


def header_of(contract: Contract, row: Sequence[str], below: Sequence[str] = ()) -> Header | None:
    """The header of a wide form that a row is, alone or with the row below; None where it is none.

    A required year may be missing: a title states it.
    """
    if not contract.wide:
        return None
    cells = _joined(contract, row, below) if below else [*row]
    across = [(at, word) for at, cell in enumerate(cells) if cell and (word := word_of(contract, cell))]
    if len({word for _, word in across}) < 2:
        return None
    positions = match(_others(contract), cells)
    return None if positions is None else Header(contract, cells, positions, across)


def place_of(contract: Contract, header: Sequence[str]) -> tuple[str, int] | None:
    """The heading and place of the value that a table of a wide form is of, by the heading behind the others;
    None for a table of another form.
    """
    for cell in header[::-1] if contract.wide else ():
        name, _, heading = cell.partition(OF)
        if heading and name == contract.column(contract.wide["across"]).headings[0]:
            return (heading, header.index(heading)) if heading in header else None
    return None


def own_headings(contract: Contract, header: Sequence[str]) -> list[str]:
    """The headings of a table as its sender wrote them, without those that the reader put behind them."""
    if place_of(contract, header) is None:
        return [*header]
    last = next(at for at, cell in enumerate(header) if OF in cell and not word_of(contract, cell))
    return [*header[:last]]


@cache
def _words(codes: str) -> Mapping[str, str]:
    """Each word of a list as headings are compared -> the word. A bare number is no heading of a value."""
    return {
        heading_key(word): word for word in code_list(codes).spellings() if not re.fullmatch(r"[\d.]+", word)
    }


def _others(contract: Contract) -> Contract:
    """The contract of the columns that stand beside; a year may be missing."""
    gone = {*contract.wide.values()}
    beside = (c for c in contract.columns if c.name not in gone)
    columns = tuple(replace(c, required=c.required and c.type != "year") for c in beside)
    return replace(contract, columns=columns)


def _joined(contract: Contract, upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Two header rows as one: group and heading together where that is known, else the lower one."""
    known = {heading_key(h) for c in contract.columns for h in c.headings}
    found, group = [], ""
    for at in range(max(len(upper), len(lower))):
        above, under = (row[at] if at < len(row) else "" for row in (upper, lower))
        group = above or (group if under else "")
        both = f"{group}{under}" if under and under != group else group
        is_known = word_of(contract, both) or heading_key(both) in known
        found.append(both if is_known else under or above)
    return found
