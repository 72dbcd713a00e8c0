"""Write a landed file again without some of its lines: each line that stays keeps its sheet and number.

The fresh file holds the tables as they were read, in the plainest container that has the same places: text
for text, a workbook for workbooks, an archive for members. What was never read (titles, pictures, hidden
sheets) goes, for nobody can say what it tells.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from jobs import declare
from jobs.cells import workbook
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


def open_file(settings: Settings, file: LandedFile) -> Opened:
    """Read a landed file; one that cannot be read has no tables."""
    stage = settings.restricted / "stage" / "forget"
    stage.mkdir(parents=True, exist_ok=True)
    lines: dict[int, dict[int, list[str | None]]] = defaultdict(dict)
    ((found, blocks),) = (
        (found, list(blocks))
        for found, blocks in isolated.read_all([file.path], declare.datasets_of(file.feed), stage)
    )
    for row in pa.Table.from_batches(blocks, schema=isolated.BLOCKS).to_pylist():
        lines[row["_table"]][row["_line_number"]] = row["cells"]
    return Opened(found, lines)


def without(opened: Opened, gone: Collection[Place]) -> bytes:
    """The bytes of the file without the lines at these places; a file that nobody can read becomes a note."""
    if not opened.found.tables:
        return b"This file could not be read, and named a pupil who was forgotten: its content was removed.\n"
    members: dict[str | None, list[Kept]] = defaultdict(list)
    for number, table in enumerate(opened.found.tables):
        kept = {
            line: cells for line, cells in opened.lines.get(number, {}).items() if (number, line) not in gone
        }
        members[table.member].append((table, kept))
    if set(members) == {None}:
        return _file(opened.found.container, members[None])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, own in members.items():
            archive.writestr(member or "table", _file(Path(member or "").suffix.lstrip("."), own))
    return packed.getvalue()


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
            sheet = book.add_worksheet(table.sheet or f"{number}")
            for line, cells in _with_header(table, lines).items():
                for place, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write_string(line - 1, place, cell)
    return packed.getvalue()
