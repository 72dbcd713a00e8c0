"""One file as a sender sent it -> which of a feed's datasets it holds, and the lines of every table in it.

`containers` finds the sheets, `recognize` the dataset of each. Every sheet of a file is read or named in the
receipt: a workbook with one sheet per class is one delivery. A sheet that nearly fits a dataset stops the
whole file, because its pupils would be lost silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from jobs.declare import Contract, reasons
from jobs.reading import containers, recognize
from jobs.reading.recognize import Table, Unrecognized
from jobs.reading.sheet import LARGEST_MEMBER, UnreadableError

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
class Reading:
    """What a file holds. `contract` is None where it cannot be taken; `reasons` then say why.

    `remarks` name what else stands in it and was not read. Both are codes with details
    (`jobs.declare.reasons`).
    """

    container: str = "unknown"
    tables: list[Table] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def contract(self) -> Contract | None:
        """The contract that the file's tables fit; None where the file cannot be taken."""
        return self.tables[0].contract if self.tables and not self.reasons else None

    @property
    def encoding(self) -> str | None:
        """The encoding of the first table; None for a workbook."""
        return self.tables[0].encoding if self.tables else None

    @property
    def member(self) -> str | None:
        """The archive member that holds the first table."""
        return self.tables[0].member if self.tables else None

    @property
    def sheet(self) -> str | None:
        """The sheet that holds the first table."""
        return self.tables[0].sheet if self.tables else None

    @property
    def header_line(self) -> int | None:
        """The line of the first table's header."""
        return self.tables[0].header_line if self.tables else None

    @property
    def header(self) -> list[str]:
        """The first table's headings as sent."""
        return self.tables[0].header if self.tables else []

    @property
    def positions(self) -> dict[str, int]:
        """Column -> place in the first table's header."""
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
    with `contract` None and with reasons.
    """
    reading = Reading()
    for table in tables(path, contracts, reading):
        try:
            table.blocks = list(table.blocks)
        except UnreadableError as error:
            reading.reasons.append(error.reason)
            break
    return reading


def tables(path: Path, contracts: Sequence[Contract], reading: Reading) -> Iterator[Table]:
    """Yield the tables of one file, one by one; take each one's blocks before asking for the next.

    `reading` is filled on the way. With reasons in it at the end, nothing of the file counts.
    """
    if path.stat().st_size > LARGEST_MEMBER:
        reading.reasons.append(reasons.text("file_too_large", megabytes=LARGEST_MEMBER // 1024**2))
        return
    nearest: Unrecognized | None = None
    try:
        for sheet in containers.sheets(path.read_bytes(), reading.remarks):
            if not reading.tables:
                reading.container = sheet.container
            found = recognize.recognize(sheet, contracts)
            if isinstance(found, Table):
                reading.tables.append(found)
                this, first = found.contract, reading.tables[0].contract
                if this is not first:
                    pair = {"dataset": first.dataset, "other_dataset": this.dataset}
                    reading.reasons.append(reasons.text("two_datasets", **pair))
                    return
                yield found
            elif found is not None:
                skipped = {"member": sheet.member, "sheet": sheet.name, "because": found.reason}
                reading.remarks.append(reasons.text("table_skipped", **skipped))
                if nearest is None or found.lacking < nearest.lacking:
                    nearest = found
    except UnreadableError as error:
        reading.reasons.append(error.reason)
        return
    if not reading.tables:
        reading.reasons.append(nearest.reason if nearest else reasons.text("file_without_data"))
    elif nearest and nearest.is_nearly:
        reading.reasons.append(nearest.reason)
