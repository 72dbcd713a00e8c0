"""A small writer of old binary workbooks (.xls, BIFF8 in a compound file): equal bytes for equal input.

Cells are text, numbers, or nothing. A sheet holds at most 65,536 rows and 256 columns. Source of the layout:
MS-XLS (records) and MS-CFB (the container), both published by Microsoft.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from synthetic.city.workbook import Cell, Table

MOST_ROWS, MOST_COLUMNS = 65_536, 256
_MOST_RECORD = 8_224  # bytes behind a record's head; what is longer goes on in CONTINUE records
_SECTOR = 512
_FREE, _END, _FAT, _DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_IN_HEADER = 109  # sectors of the allocation table that the header itself lists

_BOF, _EOF, _CONTINUE = 0x0809, 0x000A, 0x003C
_CODEPAGE, _WINDOW1, _FONT, _XF, _STYLE = 0x0042, 0x003D, 0x0031, 0x00E0, 0x0293
_BOUNDSHEET, _SST, _DIMENSIONS, _ROW = 0x0085, 0x00FC, 0x0200, 0x0208
_LABELSST, _NUMBER, _MERGED = 0x00FD, 0x0203, 0x00E5
_STYLE_XF, _CELL_XF = 0, 15  # fifteen formats of styles come first, then the one of cells


def old_workbook(tables: Sequence[Table]) -> bytes:
    """The bytes of an .xls with these sheets, in order. Raises ValueError for a sheet that is too large."""
    strings: dict[str, int] = {}
    uses = 0
    sheets = []
    for table in tables:
        body, count = _sheet(table, strings)
        sheets.append(body)
        uses += count
    head = _head()
    shared = _shared(strings, uses)
    names = [table.name.encode("utf-16-le") for table in tables]
    offset = len(head) + sum(4 + 8 + len(name) for name in names) + len(shared) + 4
    bounds = b""
    for table, name, sheet in zip(tables, names, sheets, strict=True):
        bounds += _record(_BOUNDSHEET, struct.pack("<IHBB", offset, 0, len(table.name), 1) + name)
        offset += len(sheet)
    return _compound(head + bounds + shared + _record(_EOF) + b"".join(sheets))


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _bof(what: int) -> bytes:
    return _record(_BOF, struct.pack("<HHHHII", 0x0600, what, 0x0DBB, 0x07CC, 0, 6))


def _head() -> bytes:
    """The workbook's globals up to the list of sheets: one font, the least set of formats."""
    name = "宋体".encode("utf-16-le")
    font = _record(_FONT, struct.pack("<HHHHHBBBBBB", 220, 0, 0x7FFF, 400, 0, 0, 0, 134, 0, 2, 1) + name)
    formats = b"".join(
        _record(
            _XF,
            struct.pack("<HHHBBBBIIH", 0, 0, 0xFFF5 if n < _CELL_XF else 0x0001, 0x20, 0, 0, 0, 0, 0, 0x20C0),
        )
        for n in range(_CELL_XF + 1)
    )
    window = struct.pack("<HHHHHHHHH", 0, 0, 0x4000, 0x2000, 0x38, 0, 0, 1, 0x0258)
    style = struct.pack("<HBB", 0x8000 | _STYLE_XF, 0, 0xFF)
    return (
        _bof(0x0005)
        + _record(_CODEPAGE, struct.pack("<H", 1200))
        + _record(_WINDOW1, window)
        + font * 4
        + formats
        + _record(_STYLE, style)
    )


def _shared(strings: Iterable[str], uses: int) -> bytes:
    """The table of all texts; a text is never split, it begins in the next record where it does not fit."""
    texts = list(strings)
    done: list[bytes] = []
    part = bytearray(struct.pack("<II", uses, len(texts)))
    for text in texts:
        try:
            body, wide = text.encode("latin-1"), 0
        except UnicodeEncodeError:
            body, wide = text.encode("utf-16-le"), 1
        entry = struct.pack("<HB", len(body) >> wide, wide) + body
        if len(entry) > _MOST_RECORD:
            raise ValueError(f"a text of {len(text)} characters does not fit an old workbook")
        if len(part) + len(entry) > _MOST_RECORD:
            done.append(bytes(part))
            part = bytearray()
        part += entry
    done.append(bytes(part))
    return b"".join(_record(_CONTINUE if n else _SST, data) for n, data in enumerate(done))


def _sheet(table: Table, strings: dict[str, int]) -> tuple[bytes, int]:
    """A sheet's records, and how many of its cells are text."""
    lines: list[Sequence[Cell]] = [[table.title]] if table.title else []
    lines += [*table.above, table.headings, *table.below, *table.rows]
    width = len(table.headings)
    if len(lines) > MOST_ROWS or width > MOST_COLUMNS:
        raise ValueError(f"{len(lines)} rows of {width} columns do not fit an old workbook")
    text_head, number_head = struct.pack("<HH", _LABELSST, 10), struct.pack("<HH", _NUMBER, 14)
    text, number = struct.Struct("<HHHI").pack, struct.Struct("<HHHd").pack
    cells = bytearray()
    uses = 0
    for at, line in enumerate(lines):
        for column, cell in enumerate(line):
            if cell is None or cell == "":
                continue
            if isinstance(cell, str):
                uses += 1
                cells += text_head + text(at, column, _CELL_XF, strings.setdefault(cell, len(strings)))
            else:
                cells += number_head + number(at, column, _CELL_XF, cell)
    dimensions = _record(_DIMENSIONS, struct.pack("<IIHHH", 0, len(lines), 0, width, 0))
    merged = _record(_MERGED, struct.pack("<HHHHH", 1, 0, 0, 0, width - 1)) if table.title else b""
    return _bof(0x0010) + dimensions + bytes(cells) + merged + _record(_EOF), uses


def _compound(stream: bytes) -> bytes:
    """A compound file of one stream, `Workbook`; no times, no small streams."""
    stream = stream.ljust(4096, b"\0")  # below 4,096 bytes it would have to be a small stream
    count = -(-len(stream) // _SECTOR)
    tables, lists = 0, 0
    while True:  # the table of sectors counts itself, and the list of its own sectors, too
        needed = -(-(count + 1 + tables + lists) // (_SECTOR // 4))
        listed = -(-max(0, needed - _IN_HEADER) // (_SECTOR // 4 - 1))
        if (needed, listed) == (tables, lists):
            break
        tables, lists = needed, listed
    directory = count
    first_table, first_list = count + 1, count + 1 + tables
    allocation = [*range(1, count), _END, _END, *[_FAT] * tables, *[_DIFAT] * lists]
    allocation += [_FREE] * (tables * (_SECTOR // 4) - len(allocation))
    places = [first_table + n for n in range(tables)]
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"",
        0x003E,
        3,
        0xFFFE,
        9,
        6,
        0,
        tables,
        directory,
        0,
        4096,
        _END,
        0,
        first_list if lists else _END,
        lists,
    )
    header += struct.pack(f"<{_IN_HEADER}I", *(places + [_FREE] * _IN_HEADER)[:_IN_HEADER])
    more = b""
    rest = places[_IN_HEADER:]
    for n in range(lists):
        some = rest[n * 127 : (n + 1) * 127]
        following = first_list + n + 1 if n + 1 < lists else _END
        more += struct.pack("<128I", *some, *[_FREE] * (127 - len(some)), following)
    entries = _entry("Root Entry", 5, child=1, start=_END, size=0)
    entries += _entry("Workbook", 2, child=_FREE, start=0, size=len(stream))
    entries += _entry("", 0, child=_FREE, start=0, size=0) * 2
    body = stream.ljust(count * _SECTOR, b"\0")
    return header + body + entries + struct.pack(f"<{len(allocation)}I", *allocation) + more


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = (name + "\0").encode("utf-16-le") if name else b""
    fields = struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, _FREE, _FREE, child, b"", 0, 0, 0, start, size
    )
    return fields
