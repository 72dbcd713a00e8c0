"""Write a landed file again, where a pupil is forgotten or corrected: a line keeps its sheet and number.

The fresh file holds the tables as they were read, in the plainest container that has the same places: text
for text, a workbook for workbooks, an archive for members. What was never read (titles, pictures, hidden
sheets) goes, for nobody can say what it tells.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from jobs import declare
from jobs.cells import workbook
from jobs.files import replacing, sha256
from jobs.lake import forgotten
from jobs.lake.deliveries import LandedFile
from jobs.reading import isolated
from jobs.reading.isolated import Found, FoundTable
from jobs.settings import Settings

Cells = Sequence[str | None]
# A table, and its lines that stay by number.
Kept = tuple[FoundTable, Mapping[int, Cells]]
# (table, line): where a line stands in its file.
Place = tuple[int, int]


@dataclass
class Opened:
    """A landed file as read: its tables, and of each the lines by number."""

    found: Found
    lines: Mapping[int, Mapping[int, list[str | None]]]

    @classmethod
    def of(cls, found: Found, blocks: Iterable[pa.RecordBatch]) -> Opened:
        """A file as its reader gave it, with its lines at hand."""
        lines: dict[int, dict[int, list[str | None]]] = defaultdict(dict)
        for row in pa.Table.from_batches(blocks, schema=isolated.BLOCKS).to_pylist():
            lines[row["_table"]][row["_line_number"]] = row["cells"]
        return cls(found, lines)

    @property
    def typed(self) -> list[str]:
        """What the sender typed beside the lines: headings, names of sheets and members."""
        parts = [(*table.header, table.sheet, table.member) for table in self.found.tables]
        return [text for part in parts for text in part if text]


@dataclass(frozen=True)
class Change:
    """Lines that go, cells that are set (by place and position), words struck from what was typed beside."""

    gone: Collection[Place] = ()
    cells: Mapping[Place, Mapping[int, str]] = field(default_factory=dict)
    words: Collection[str] = ()


def open_files(settings: Settings, files: Sequence[LandedFile]) -> Iterator[Opened]:
    """Read landed files of one feed, in the order given; one that cannot be read has no tables."""
    stage = settings.restricted / "stage" / "again"
    stage.mkdir(parents=True, exist_ok=True)
    contracts = declare.datasets_of(files[0].feed) if files else []
    for found, blocks in isolated.read_all([file.path for file in files], contracts, stage):
        yield Opened.of(found, blocks)


def write_again(settings: Settings, file: LandedFile, opened: Opened, change: Change) -> None:
    """Write the file with a change, under the hash and the receipt that it had. Killed, it is as before."""
    data, known = _changed(opened, change), forgotten.load(settings).aliases
    while known.get(hashlib.sha256(data).hexdigest(), file.sha256) != file.sha256:
        # What is left of two files is alike, and each goes by its own hash.
        data += b"\n"
    with replacing(file.path) as fresh:
        fresh.write_bytes(data)
        forgotten.add(settings, aliases={sha256(fresh): file.sha256})


def rename(settings: Settings, file: LandedFile, words: Collection[str]) -> None:
    """Strike the words from the file's name; its receipt stays."""
    stem = forgotten.struck(Path(file.name).stem, words)
    fresh, number = stem + file.path.suffix, 1
    if fresh == file.name:
        return
    while (file.path.parent / fresh).exists():
        number += 1
        fresh = f"{stem} {number}{file.path.suffix}"
    by_name = dataclasses.replace(file, name=fresh, goes_by=None).receipt_id
    forgotten.add(settings, renamed={by_name: file.receipt_id})
    file.path.rename(file.path.parent / fresh)


def _changed(opened: Opened, change: Change) -> bytes:
    """The bytes of the file with a change; a file that nobody can read becomes a note."""
    if not opened.found.tables:
        return b"This file could not be read, and named a pupil who was forgotten: its content was removed.\n"
    members: dict[str | None, list[Kept]] = defaultdict(list)
    for number, table in enumerate(opened.found.tables):
        kept = {
            line: _with_cells(cells, change.cells.get((number, line), {}))
            for line, cells in opened.lines.get(number, {}).items()
            if (number, line) not in change.gone
        }
        members[table.member].append((_struck(table, change.words), kept))
    if set(members) == {None}:
        return _file(opened.found.container, members[None])
    packed, written = io.BytesIO(), set[str]()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, (member, own) in enumerate(members.items()):
            path = Path(own[0][0].member or "table")
            name = str(path) if str(path) not in written else f"{path.stem} {place}{path.suffix}"
            written.add(name)
            archive.writestr(name, _file(Path(member or "").suffix.lstrip("."), own))
    return packed.getvalue()


def _with_cells(cells: Cells, fresh: Mapping[int, str]) -> Cells:
    return [fresh.get(place, cell) for place, cell in enumerate(cells)]


def _struck(table: FoundTable, words: Collection[str]) -> FoundTable:
    def of(name: str | None) -> str | None:
        return name if name is None else forgotten.struck(name, words)

    header = [forgotten.struck(name, words) for name in table.header]
    suffix = Path(table.member or "").suffix
    member = table.member and forgotten.struck(table.member.removesuffix(suffix), words) + suffix
    return dataclasses.replace(table, header=header, sheet=of(table.sheet), member=member)


def _file(container: str, own: Sequence[Kept]) -> bytes:
    if len(own) > 1 or own[0][0].sheet is not None:
        return _workbook(own)
    ((table, lines),) = own
    if "json" in container:
        return _placed(
            {
                n: json.dumps(dict(zip(table.header, c, strict=False)), ensure_ascii=False)
                for n, c in lines.items()
            }
        )
    return _placed({n: _delimited(cells) for n, cells in _with_header(table, lines).items()})


def _with_header(table: FoundTable, lines: Mapping[int, Cells]) -> dict[int, Cells]:
    return {table.header_line: table.header, **lines}


def _delimited(cells: Cells) -> str:
    line = io.StringIO()
    # A line that ends within a cell would move all below it.
    csv.writer(line, lineterminator="").writerow([" ".join((cell or "").split("\n")) for cell in cells])
    return line.getvalue()


def _placed(texts: Mapping[int, str]) -> bytes:
    written: list[str] = []
    for number, text in sorted(texts.items()):
        written += [""] * (number - 1 - len(written))
        written.append(text)
    return "\n".join([*written, ""]).encode()


def _workbook(own: Sequence[Kept]) -> bytes:
    packed = io.BytesIO()
    with workbook(packed, in_memory=True) as book:
        for number, (table, lines) in enumerate(own, 1):
            name = table.sheet or f"{number}"
            sheet = book.add_worksheet(f"{name[:25]} {number}" if book.get_worksheet_by_name(name) else name)
            for line, cells in _with_header(table, lines).items():
                for place, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write_string(line - 1, place, cell)
    return packed.getvalue()
