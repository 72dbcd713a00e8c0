"""Wide forms as the long statement that their contract declares: one table for each value across.

A line keeps its number and its cells; behind them stands the value's word, and the year where a title alone
states it. A cell without a number states nothing. Totals are compared with what they sum up, and stand in no
statement: a total that differs is a question to its sender.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import pyarrow as pa

from jobs.declare import EXPECTATIONS, across, reasons
from jobs.declare.across import Header
from jobs.files import parse_yaml
from jobs.reading.recognize import Table
from jobs.reading.sheet import blocks

Lines = list[tuple[int, list[str]]]

_NOTHING = {"", "-", "--", "—", "——", "–", "/", "无"}
# More totals that differ than these are one mistake, and not so many questions.
MOST_ASKED = 50


def spread(table: Table, remarks: list[str]) -> Iterator[Table]:
    """Yield a table of each value across, in the order of its headings; of another form the table itself.

    What totals ask is added to `remarks` when the last one has been taken.
    """
    form = table.form
    if form is None:
        yield table
        return
    contract, width = form.contract, table.width
    read: list[Lines] = []

    def lines() -> Lines:
        if not read:
            read.append([line for block in table.blocks for line in _lines(block)])
        return read[0]

    spread_column = contract.column(contract.wide["across"])
    header = [*table.header, *[""] * (width - len(table.header))]
    for nth, (at, word) in enumerate(form.across):
        behind, names = [word], [f"{spread_column.headings[0]}{across.OF}{form.cells[at].strip()}"]
        positions = {**form.positions, spread_column.name: width, contract.wide["value"]: at}
        if table.year:
            column = next(c for c in contract.columns if c.type == "year" and c.name not in form.positions)
            behind, names = [*behind, table.year], [*names, f"{column.headings[0]}{across.OF}{table.year}"]
            positions[column.name] = width + 1
        found = blocks(_of_value(lines, form, at, behind, width, is_first=nth == 0), is_whole=True)
        yield replace(
            table,
            header=[*header, *names],
            width=width + len(behind),
            positions=positions,
            blocks=found,
        )
    if read:
        place = {"member": table.member, "sheet": table.sheet}
        for line, heading in [*_asked(form, read[0])][:MOST_ASKED]:
            remarks.append(reasons.text("total_differs", line=line, headings=[heading], **place))


def _lines(block: pa.RecordBatch) -> Iterator[tuple[int, list[str]]]:
    for number, cells in zip(block.column(0).to_pylist(), block.column(1).to_pylist(), strict=True):
        yield number, [cell or "" for cell in cells]


def _of_value(
    lines: Callable[[], Lines], form: Header, at: int, behind: list[str], width: int, *, is_first: bool
) -> Iterator[tuple[int, list[str]]]:
    """The lines that state something of one value. One that states nothing of any is kept once."""
    for number, cells in lines():
        states_any = any(_cell(cells, place) not in _NOTHING for place, _ in form.across)
        if _cell(cells, at) in _NOTHING and (states_any or not is_first):
            continue
        # A cell too many stays one.
        yield number, [*cells[:width], *[""] * (width - len(cells)), *behind, *cells[width:]]


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


# Totals


def _asked(form: Header, lines: Lines) -> Iterator[tuple[int, str]]:
    """(line, heading) of each total that is not the sum of what it stands for."""
    totals = [
        at
        for at, cell in enumerate(form.cells)
        if cell and across.is_total(form.contract, cell) and at not in form.positions.values()
    ]
    values = [at for at, _ in form.across]
    kinds = [_kind(cells, values) for _, cells in lines]
    for (number, cells), kind in zip(lines, kinds, strict=True):
        if kind == "part":
            continue
        for at in totals:
            last = max((place for place in totals if place < at), default=-1)
            parts = [[v for v in values if last < v < at], values]
            if _differs(_number(_cell(cells, at)), [_sum(_cell(cells, v) for v in own) for own in parts]):
                yield number, form.cells[at].strip()
    for place, ((number, cells), kind) in enumerate(zip(lines, kinds, strict=True)):
        if kind != "sum":
            continue
        begin = max((n for n in range(place) if kinds[n] == "sum"), default=-1) + 1
        ranges = (range(begin, place), range(place), range(len(lines)))
        for at in (*values, *totals):
            above = ([_cell(lines[n][1], at) for n in own if kinds[n] == "data"] for own in ranges)
            if _differs(_number(_cell(cells, at)), [_sum(own) for own in above]):
                yield number, form.cells[at].strip()


def _differs(stated: float | None, sums: list[float | None]) -> bool:
    known = [found for found in sums if found is not None]
    return stated is not None and bool(known) and all(abs(stated - found) > 1e-6 for found in known)


def _sum(cells: Iterable[str]) -> float | None:
    """The sum of cells; None where one of them is no number, or there is none."""
    given = [cell for cell in cells if cell not in _NOTHING]
    found = [_number(cell) for cell in given]
    return None if None in found or not found else sum(filter(None, found))


def _number(cell: str) -> float | None:
    text = re.sub(r"[\s,，人名个]", "", unicodedata.normalize("NFKC", cell))
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def _kind(cells: Sequence[str], values: Sequence[int]) -> str:
    """What a line is: `data`, the `sum` of others, or a `part` of one that is counted already."""
    for at, cell in enumerate(cells):
        if at in values:
            continue
        bare = re.sub(r"[\s()（）\[\]【】:：]", "", cell).lower()
        if bare.startswith(("其中", "#")):
            return "part"
        if re.fullmatch(_sums(), bare):
            return "sum"
    return "data"


@cache
def _sums() -> str:
    words = parse_yaml((EXPECTATIONS / "no_data.yaml").read_text(encoding="utf-8"))
    after, alone = ("|".join(map(re.escape, words[name])) for name in ("sums", "sums_alone"))
    return rf".{{0,30}}({after})[\d,]*[人名所校]*|{alone}|{'|'.join(map(re.escape, words['wholes']))}"
