"""One file as a sender sent it -> which of a feed's datasets it holds, and the lines of every table in it.

`containers` finds the tables; here each is recognized by its header: one row, or two rows of which the upper
one groups the lower. Every table of a file is read, or named in the receipt: a workbook of a sheet a class is
one delivery, and a sheet that nearly fits stops it, for its pupils would be lost without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from jobs.declare import Contract, heading_key, headings
from jobs.reading import containers
from jobs.reading.containers import LARGEST_MEMBER, Sheet, UnreadableError

# A title, a unit line, a merged group line: no sender puts more above the header.
HEADER_WITHIN = 10
# No contract has more columns; a line of a million cells is no header.
WIDEST_HEADER = 1000

RAW_SCHEMA = pa.schema(
    [
        ("_batch_id", pa.string()),
        ("_delivery_id", pa.string()),
        ("_file_sha256", pa.string()),
        ("_table", pa.int32()),
        ("_member", pa.string()),
        ("_sheet", pa.string()),
        ("_line_number", pa.int64()),
        ("cells", pa.list_(pa.string())),
    ]
)


@dataclass
class Table:
    """One table of a dataset: where it stands, its header, its data lines.

    `blocks` have the schema `containers.LINES` and are read as they are asked for.
    """

    contract: Contract
    container: str
    encoding: str | None
    member: str | None
    sheet: str | None
    header_line: int
    header: list[str]
    positions: dict[str, int]
    blocks: Iterator[pa.RecordBatch] | list[pa.RecordBatch]


@dataclass
class Reading:
    """What a file turned out to be. `contract` is None where it cannot be taken; `reasons` then say why.
    `remarks` name what else stands in it and was not read.
    """

    container: str = "unknown"
    tables: list[Table] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def contract(self) -> Contract | None:
        return self.tables[0].contract if self.tables and not self.reasons else None

    @property
    def encoding(self) -> str | None:
        return self.tables[0].encoding if self.tables else None

    @property
    def member(self) -> str | None:
        return self.tables[0].member if self.tables else None

    @property
    def sheet(self) -> str | None:
        return self.tables[0].sheet if self.tables else None

    @property
    def header_line(self) -> int | None:
        return self.tables[0].header_line if self.tables else None

    @property
    def header(self) -> list[str]:
        return self.tables[0].header if self.tables else []

    @property
    def positions(self) -> dict[str, int]:
        return self.tables[0].positions if self.tables else {}

    @property
    def lines(self) -> list[tuple[int, list[str]]]:
        """All data lines as (number, cells), empty cells as empty text."""
        return [(n, [c or "" for c in cells]) for n, cells in zip(*self.raw_columns(), strict=True)]

    def raw_columns(self) -> tuple[list[int], list[list[str | None]]]:
        """Line numbers and cells of all data lines, wholly empty lines left out."""
        found = [b for table in self.tables for b in table.blocks]
        numbers = [n for b in found for n in b.column(0).to_pylist()]
        return numbers, [c for b in found for c in b.column(1).to_pylist()]


def read(path: Path, contracts: Sequence[Contract]) -> Reading:
    """Read one file whole and recognize which of a feed's datasets it holds, by its headers.

    Never raises for what a sender may send: a file that cannot be read, or that fits no contract, comes back
    with `contract` None and the reasons in Chinese.
    """
    reading = Reading()
    for table in tables(path, contracts, reading):
        try:
            table.blocks = list(table.blocks)
        except UnreadableError as error:
            reading.reasons.append(str(error))
            break
    return reading


def tables(path: Path, contracts: Sequence[Contract], reading: Reading) -> Iterator[Table]:
    """The tables of one file, one by one: each one's blocks are to be taken before the next is asked for.

    `reading` is filled as it goes; with reasons in it at the end, nothing of the file counts.
    """
    if path.stat().st_size > LARGEST_MEMBER:
        reading.reasons.append(f"文件过大 (超过 {LARGEST_MEMBER // 1024**2} MB): 请分成几个文件报送")
        return
    nearest: tuple[float, str] | None = None
    try:
        for sheet in containers.sheets(path.read_bytes(), reading.remarks):
            if not reading.tables:
                reading.container = sheet.container
            found = _recognized(sheet, contracts)
            if isinstance(found, Table):
                reading.tables.append(found)
                if found.contract is not reading.tables[0].contract:
                    reading.reasons.append(
                        f"文件里有两种数据表 (“{reading.tables[0].contract.zh}”和“{found.contract.zh}”): "
                        "请分成两个文件报送"
                    )
                    return
                yield found
            elif found is not None:
                reading.remarks.append(f"{sheet.place}未读取: {found[1]}")
                if nearest is None or found[0] < nearest[0]:
                    nearest = found
    except UnreadableError as error:
        reading.reasons.append(str(error))
        return
    if not reading.tables:
        reading.reasons.append(nearest[1] if nearest else "文件里没有任何数据")
    elif nearest and nearest[0] <= NEARLY:
        reading.reasons.append(nearest[1])


# A table that lacks no more than this share of a dataset's required columns is meant to be that dataset.
NEARLY = 0.34


def _recognized(sheet: Sheet, contracts: Sequence[Contract]) -> Table | tuple[float, str] | None:
    """The table, if its header is found; else the share of required columns it lacks and what to tell its
    sender; null for a sheet without a line.
    """
    first = next(sheet.blocks, None)
    if first is None:
        return None
    top = first.slice(0, HEADER_WITHIN + 1)
    numbers = top.column(0).to_pylist()
    shown = pc.list_slice(top.column(1), 0, WIDEST_HEADER).to_pylist()
    rows = [[cell or "" for cell in cells] for cells in shown]
    nearest = (1.0, f"{sheet.place}的前{HEADER_WITHIN}行中没有找到任何已知数据表的表头")
    for index, row in enumerate(rows[:HEADER_WITHIN]):
        below = rows[index + 1] if index + 1 < len(rows) else []
        keys = {heading_key(cell) for cell in (*row, *below) if cell}
        best: tuple[int, int, Contract, list[str], dict[str, int]] | None = None
        for contract in contracts:
            known = _headings(contract)
            if len(keys & known) == 0 and not below:
                continue
            for height, header in ((1, row), (2, _joined(row, below, known))):
                positions = headings.match(contract, header) if header else None
                if positions is None or (
                    height == 2 and len(headings.match(contract, below) or ()) >= len(positions)
                ):
                    # The lower row is a header by itself: the upper one is a title.
                    continue
                # Of two datasets that fit, the one with more columns here; the upper row alone, if enough.
                if best is None or len(positions) > best[0]:
                    best = (len(positions), height, contract, header, positions)
            lacking = headings.missing(contract, row)
            share = len(lacking) / max(sum(c.required for c in contract.columns), 1)
            if share < nearest[0]:
                where = "" if sheet.place == "文件" else sheet.place
                nearest = (
                    share,
                    f"{where}第{numbers[index]}行像“{contract.zh}”的表头, 但缺少: {', '.join(lacking)}",
                )
        if best is not None:
            _, height, contract, header, positions = best
            after = index + height
            rest = first.slice(after + (after < len(rows) and _numbers_columns(rows[after])))
            return Table(
                contract,
                sheet.container,
                sheet.encoding,
                sheet.member,
                sheet.name,
                numbers[index + height - 1],
                header,
                positions,
                chain([rest] if rest.num_rows else [], sheet.blocks),
            )
    return nearest


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
    """School year and term in a file's name: `名册_2024-2025-1.csv` -> (2024, 1)."""
    match = _PERIOD.search(name)
    if not match or int(match[2]) != int(match[1]) + 1:
        return None
    return int(match[1]), {"1": 1, "一": 1}.get(match[3], 2)
