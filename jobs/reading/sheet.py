"""A sheet: one table found in a file, as numbered lines of cells of text. Every format's reader makes these.

A line's number is the one its sender sees: the physical line of a text file, the row of a sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from jobs.declare import reasons
from jobs.files import LARGEST_FILE

LARGEST_MEMBER = LARGEST_FILE
# The XML of a workbook is read as it unpacks and never held: a sheet full to its last row has 1 GB of it.
LARGEST_WORKBOOK = 3 * 1024**3

LINES = pa.schema([("_line_number", pa.int64()), ("cells", pa.list_(pa.string()))])
BLOCK_LINES = 50_000
BLOCK_CELLS = 2_000_000

# Stands in a cell whose formula has no cached value; judging refuses it (rule `formula`).
UNCALCULATED = "#公式未计算"


class UnreadableError(Exception):
    """The file cannot be read at all. `reason` is the code with its details (`jobs.declare.reasons`)."""

    def __init__(self, code: str, **details: reasons.Detail) -> None:
        self.reason = reasons.text(code, **details)
        super().__init__(self.reason)


class NoTableError(UnreadableError):
    """The file is no table of any kind: a picture, a letter. Inside an archive it is passed over."""


@dataclass
class Sheet:
    """One table found in a file.

    `blocks` have the schema LINES: wholly empty lines are left out, empty cells are null.
    """

    container: str
    encoding: str | None
    member: str | None
    name: str | None
    blocks: Iterator[pa.RecordBatch]


def block(numbers: list[int], cells: list[str | None], widths: list[int]) -> pa.RecordBatch:
    """Lines as one block: the cells of all of them in a row, and how many belong to each."""
    try:
        values = pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half a character pair, out of a JSON escape
        whole = [c if c is None else c.encode("utf-8", "replace").decode() for c in cells]
        values = pa.array(whole, pa.string())
    offsets = [0]
    for width in widths:
        offsets.append(offsets[-1] + width)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64()), lists], schema=LINES)


def blocks(lines: Iterable[tuple[int, list[str]]], is_whole: bool = False) -> Iterator[pa.RecordBatch]:
    """Numbered lines -> blocks: empty lines left out, empty cells null.

    `is_whole` keeps empty cells behind the last written one: in delimited text their number tells something.
    """
    numbers: list[int] = []
    cells: list[str | None] = []
    widths: list[int] = []
    for number, line in lines:
        if is_whole and any(line):
            pass
        else:
            while line and not line[-1]:
                line.pop()
            if not line:
                continue
        numbers.append(number)
        cells += [c or None for c in line]
        widths.append(len(line))
        if len(numbers) == BLOCK_LINES or len(cells) > BLOCK_CELLS:
            yield block(numbers, cells, widths)
            numbers, cells, widths = [], [], []
    if numbers:
        yield block(numbers, cells, widths)
