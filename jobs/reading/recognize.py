"""Which of a feed's datasets a sheet holds, by its header, and which term a file's name states.

A header is one row, or two rows of which the upper one groups the lower.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from jobs.declare import Contract, across, heading_key, headings, reasons
from jobs.reading.sheet import Sheet

# Titles, notes on how to fill the form in, a merged group line: no sender puts more above the header.
HEADER_WITHIN = 30
# No contract has more columns; a line of a million cells is no header.
WIDEST_HEADER = 1000
# A table that lacks no more than this share of a dataset's required columns is meant to be that dataset.
NEARLY = 0.34


@dataclass
class Table:
    """One table of a dataset: where it stands, its header, its data lines.

    `blocks` have the schema `sheet.LINES` and are read as they are asked for. `width`: the cells of the
    header's line, blank ones at its end included.
    """

    contract: Contract
    container: str
    encoding: str | None
    member: str | None
    sheet: str | None
    header_line: int
    header: list[str]
    width: int
    positions: dict[str, int]
    blocks: Iterator[pa.RecordBatch] | list[pa.RecordBatch]
    # Of a wide form its header, and the year that its title states.
    form: across.Header | None = None
    year: str | None = None


@dataclass(frozen=True)
class Unrecognized:
    """A sheet whose header fits no contract, and why: of all contracts and lines, the one that lacks least.

    `lacking`: the share of required columns it lacks, from 0 to 1.
    """

    lacking: float
    reason: str

    @property
    def dataset(self) -> str | None:
        """The dataset that it was most likely meant to be."""
        return reasons.details(self.reason).get("dataset")

    @property
    def is_nearly(self) -> bool:
        """Whether the sheet is meant to be a dataset, so that leaving it out would lose rows silently."""
        return self.lacking <= NEARLY


@dataclass(frozen=True)
class _Header:
    """A header that fits a contract: its height in rows, its cells, where each column stands."""

    contract: Contract
    height: int
    cells: list[str]
    positions: dict[str, int]
    form: across.Header | None = None
    year: str | None = None


def recognize(sheet: Sheet, contracts: Sequence[Contract]) -> Table | Unrecognized | None:
    """Return the sheet as a table of a dataset, or why no dataset fits; None for a sheet without a line."""
    first = next(sheet.blocks, None)
    if first is None:
        return None
    top = first.slice(0, HEADER_WITHIN + 1)
    numbers = top.column(0).to_pylist()
    shown = pc.list_slice(top.column(1), 0, WIDEST_HEADER).to_pylist()
    rows = [[cell or "" for cell in cells] for cells in shown]
    place = {"member": sheet.member, "sheet": sheet.name}
    nearest = Unrecognized(1.0, reasons.text("header_unknown", within=HEADER_WITHIN, **place))
    for index, row in enumerate(rows[:HEADER_WITHIN]):
        below = rows[index + 1] if index + 1 < len(rows) else []
        header = _header(row, below, contracts) or _wide_header(rows, index, contracts, sheet)
        if header is not None:
            after = index + header.height
            rest = first.slice(after + (after < len(rows) and _numbers_columns(rows[after])))
            return Table(
                header.contract,
                sheet.container,
                sheet.encoding,
                sheet.member,
                sheet.name,
                numbers[after - 1],
                _written(header.cells),
                len(header.cells),
                header.positions,
                chain([rest] if rest.num_rows else [], sheet.blocks),
                header.form,
                header.year,
            )
        for contract in contracts:
            lacking = headings.missing(contract, row)
            share = len(lacking) / max(sum(c.required for c in contract.columns), 1)
            if share < nearest.lacking:
                nearest = Unrecognized(
                    share,
                    reasons.text(
                        "header_lacks",
                        line=numbers[index],
                        dataset=contract.dataset,
                        columns=lacking,
                        **place,
                    ),
                )
    return _doubt(sheet, rows, contracts, place) or nearest


def _header(row: list[str], below: list[str], contracts: Sequence[Contract]) -> _Header | None:
    """The header that `row` is, alone or joined with the row below; the one that fits most columns."""
    keys = {heading_key(cell) for cell in (*row, *below) if cell}
    best: _Header | None = None

    @cache
    def alone() -> int:
        """How many columns the row below has by itself, of the dataset of which it has most."""
        return max(len(headings.match(contract, below) or ()) for contract in contracts)

    for contract in contracts:
        known = _headings(contract)
        if not keys & known and not below:
            continue
        for height, cells in ((1, row), (2, _joined(row, below, known))):
            positions = headings.match(contract, cells) if cells else None
            if positions is None or (height == 2 and alone() >= len(positions)):
                # The lower row is a header by itself: the upper one is a title.
                continue
            # Of two datasets that fit, the one with more columns here; the upper row alone, if enough.
            if best is None or len(positions) > len(best.positions):
                best = _Header(contract, height, cells, positions)
    return best


_YEAR = re.compile(r"(?<!\d)(20\d\d)\s*(?:[-—–~至/]+\s*20\d\d\s*)?(?:学年|年)")


def _wide_header(
    rows: list[list[str]], index: int, contracts: Sequence[Contract], sheet: Sheet
) -> _Header | None:
    """The header of a wide form that begins in a row; a year of no column must be stated above it."""
    for contract in contracts:
        below = rows[index + 1] if index + 1 < len(rows) else []
        for height, lower in ((1, []), (2, below)):
            form = across.header_of(contract, rows[index], lower) if height == 1 or lower else None
            if form is None or (lower and across.header_of(contract, lower)):
                # The lower row is a header by itself: the upper one is a title.
                continue
            has_place = {*form.positions, contract.wide["across"]}
            year = None
            if any(c.required and c.type == "year" and c.name not in has_place for c in contract.columns):
                above = [*(cell for row in rows[: index + height] for cell in row), sheet.name or ""]
                year = next((found[1] for cell in above if (found := _YEAR.search(cell))), None)
                if year is None:
                    continue
            return _Header(contract, height, form.cells, dict(form.positions), form, year)
    return None


def _written(cells: list[str]) -> list[str]:
    """The cells up to the last one that holds something."""
    return cells[: max((at for at, cell in enumerate(cells, 1) if cell.strip()), default=0)]


_OTHER_DELIMITERS = re.compile(r"[,，;；|｜、\t]|\s{2,}|[ \u3000]")


def _doubt(
    sheet: Sheet, rows: list[list[str]], contracts: Sequence[Contract], place: dict[str, str | None]
) -> Unrecognized | None:
    """Why a text may have been read wrongly that has no known header: delimiter, encoding, characters."""
    if sheet.container not in ("csv", "tsv"):
        return None
    for number, row in enumerate(rows[:HEADER_WITHIN], 1):
        cells = [cell for text in row for cell in _OTHER_DELIMITERS.split(text) if cell]
        if len(cells) > len(row) and _header(cells, [], contracts):
            return Unrecognized(1.0, reasons.text("delimiter_unknown", line=number, **place))
    text = "".join(cell for row in rows for cell in row)
    if _is_in(text, "gb2312"):
        return None
    if sheet.encoding == "gb18030" and _is_big5(text.encode("gb18030")):
        return Unrecognized(1.0, reasons.text("encoding_unknown", **place))
    if any(not _is_in(sign, "gb2312") and _is_in(sign, "big5") for sign in text):
        return Unrecognized(1.0, reasons.text("header_traditional", **place))
    return None


def _is_in(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _is_big5(data: bytes) -> bool:
    try:
        return _is_in(data.decode("big5hkscs"), "big5hkscs")
    except UnicodeDecodeError:
        return False


def _numbers_columns(row: Sequence[str]) -> bool:
    """The line `甲 乙 1 2 …` that statistical forms have below their headings."""
    filled = [cell.strip() for cell in row if cell.strip()]
    stems = [cell for cell in filled if cell in "甲乙丙丁戊己庚辛壬癸"]
    counted = [str(n) for n in range(1, len(filled) - len(stems) + 1)]
    return filled[:1] == ["甲"] and [*stems, *counted] == filled and len(filled) > 1


def _headings(contract: Contract) -> frozenset[str]:
    found = _known.get(contract.dataset)
    if found is None or found[0] is not contract:
        found = (contract, frozenset(heading_key(h) for c in contract.columns for h in c.headings))
        _known[contract.dataset] = found
    return found[1]


_known: dict[str, tuple[Contract, frozenset[str]]] = {}


def _joined(upper: list[str], lower: list[str], known: frozenset[str]) -> list[str]:
    """Two header rows as one: `group/sub`, or the lower heading alone where only that is known.

    A group reaches right over blank cells. Empty where the lower row holds no known heading.
    """
    joined: list[str] = []
    group = ""
    is_header = False
    for index in range(max(len(upper), len(lower))):
        above = upper[index] if index < len(upper) else ""
        under = lower[index] if index < len(lower) else ""
        group = above or (group if under else "")
        both = f"{group}/{under}"
        if under and group and heading_key(both) in known:
            joined.append(both)
            is_header = True
        elif under and heading_key(under) in known:
            joined.append(under)
            is_header = True
        else:
            joined.append(both if under and group not in ("", under) else above or under)
    return joined if is_header else []


_PERIOD = re.compile(r"(?<!\d)(20\d\d)-(20\d\d)(?:学年)?[-_ ]?第?([12一二])(?:学期)?(?!\d)")


def period_in_name(name: str) -> tuple[int, int] | None:
    """Return the school year and term that a file's name states: `名册_2024-2025-1.csv` -> (2024, 1)."""
    match = _PERIOD.search(name)
    if not match or int(match[2]) != int(match[1]) + 1:
        return None
    return int(match[1]), {"1": 1, "一": 1}.get(match[3], 2)
