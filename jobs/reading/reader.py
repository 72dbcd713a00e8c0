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

from jobs import declare
from jobs.declare import Contract, reasons
from jobs.reading import containers, recognize, wide
from jobs.reading.recognize import Table, Unrecognized
from jobs.reading.sheet import LARGEST_MEMBER, Sheet, UnreadableError

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
    data = path.read_bytes()
    dataset = containers.is_for(data)
    if dataset not in {contract.dataset for contract in contracts}:
        dataset = None
    sheets = _Sheets(reading, dataset, contracts)
    try:
        for sheet in containers.sheets(data, reading.remarks):
            if not reading.tables:
                reading.container = sheet.container
            found = recognize.recognize(sheet, sheets.contracts)
            if isinstance(found, Table):
                for table in wide.spread(found, reading.remarks):
                    if sheets.take(table):
                        yield table
            elif found is not None:
                sheets.skip(sheet, found)
    except UnreadableError as error:
        reading.reasons.append(error.reason)
        return
    sheets.end()


class _Sheets:
    """The sheets of a file as they come: those of its dataset, and those that are not read."""

    def __init__(self, reading: Reading, dataset: str | None, contracts: Sequence[Contract]) -> None:
        self._reading, self._dataset = reading, dataset
        # One part of a file of several: the sheets of the others are known, and read for other receipts.
        known = {contract.dataset for contract in contracts}
        others = declare.load() if dataset else {}
        self.contracts = [*contracts, *(c for name, c in others.items() if name not in known)]
        self._elsewhere: set[str] = set()
        self._skipped: list[Unrecognized] = []

    def take(self, found: Table) -> bool:
        """Note a table. Returns whether it is to be read."""
        reading, dataset = self._reading, found.contract.dataset
        if self._dataset not in (None, dataset):
            self._elsewhere.add(dataset)
            place = {"member": found.member, "sheet": found.sheet}
            pair = {"dataset": self._dataset, "other_dataset": dataset}
            reading.remarks.append(reasons.text("sheet_elsewhere", **pair, **place))
            return False
        reading.tables.append(found)
        first = reading.tables[0].contract.dataset
        if dataset == first:
            return not reading.reasons
        if not reading.reasons:
            reading.reasons.append(reasons.text("two_datasets", dataset=first, other_dataset=dataset))
        return False

    def skip(self, sheet: Sheet, found: Unrecognized) -> None:
        """Note a sheet that fits no dataset."""
        skipped = {"member": sheet.member, "sheet": sheet.name, "because": found.reason}
        self._reading.remarks.append(reasons.text("table_skipped", **skipped))
        self._skipped.append(found)

    def end(self) -> None:
        """Note why the file cannot be taken, if it is so: no table, or one that nearly fits."""
        reading = self._reading
        meant = [one for one in self._skipped if one.dataset not in self._elsewhere]
        nearest = min(meant, key=lambda one: one.lacking, default=None)
        if not reading.tables:
            reading.reasons.append(nearest.reason if nearest else reasons.text("file_without_data"))
        elif not reading.reasons and nearest and nearest.is_nearly:
            reading.reasons.append(nearest.reason)
