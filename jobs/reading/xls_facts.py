"""What old binary workbooks (xls, BIFF) say beside their values: errors, number formats, what is hidden.

Only records that tell such facts are read, straight from the workbook's stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.reading import formats
from jobs.reading.compound import Compound
from jobs.reading.sheet import UNCALCULATED, UnreadableError

# Records of the file format.
_BOF, _EOF, _BOUNDSHEET, _FORMAT, _XF, _DATEMODE = 0x0809, 0x0A, 0x85, 0x041E, 0xE0, 0x22
_NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA, _ROW, _COLINFO = 0x0203, 0x027E, 0xBD, 0x0205, 0x06, 0x0208, 0x7D
_BIFF8 = 0x0600
_FILEPASS = 0x2F

_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!",
    0x2A: "#N/A", 0x2B: "#GETTING_DATA",
}  # fmt: skip
# A formula that is to be counted when the file is opened, and was not so far.
_ON_LOAD = 0x02
# What a formula's result is, where it is no number.
_IS_ERROR, _IS_BLANK = 2, 3

Place = tuple[int, int]


@dataclass
class Facts:
    """Of one sheet: the text of cells that show other than their bare value, and what is hidden (0-based)."""

    shown: dict[Place, str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def facts(data: bytes) -> list[Facts]:
    """The facts of each sheet, in the workbook's order. Raises UnreadableError for a damaged file."""
    try:
        return list(_sheets(Compound(data).stream("workbook", "book")))
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise UnreadableError("workbook_damaged") from error


def has_password(stream: bytes) -> bool:
    """Whether the records of a workbook's stream cannot be read without a password."""
    return any(kind == _FILEPASS for kind, _, _ in _records(stream, 0))


# Its records


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Kind, place and length of each record of the part that begins at `at`; parts within it are left out."""
    depth = 0
    unpack, end = struct.Struct("<HH").unpack_from, len(stream) - 4
    while at <= end:
        kind, length = unpack(stream, at)
        at += 4
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, at, length
        at += length


def _sheets(stream: bytes) -> Iterator[Facts]:
    is_new = struct.unpack_from("<H", stream, 4)[0] == _BIFF8
    begins: list[int] = []
    codes: dict[int, str] = {}
    numbers: list[int] = []
    since_1904 = False
    for kind, at, length in _records(stream, 0):
        if kind == _BOUNDSHEET:
            begins.append(struct.unpack_from("<I", stream, at)[0])
        elif kind == _FORMAT:
            codes[struct.unpack_from("<H", stream, at)[0]] = _text(stream[at + 2 : at + length], is_new)
        elif kind == _XF:
            numbers.append(struct.unpack_from("<H", stream, at + 2)[0])
        elif kind == _DATEMODE:
            since_1904 = struct.unpack_from("<H", stream, at)[0] == 1
    shown = [formats.of(codes.get(number), number, since_1904) for number in numbers]
    special = {xf: show for xf, show in enumerate(shown) if show}
    for begin in begins:
        yield _sheet(stream, begin, special)


def _text(data: bytes, is_new: bool) -> str:
    """The text of a format: wide or narrow characters behind their count."""
    if not is_new:
        return data[1 : 1 + data[0]].decode("gb18030", "replace")
    count, flags = struct.unpack_from("<HB", data)
    return data[3 : 3 + 2 * count].decode("utf-16-le") if flags & 1 else data[3 : 3 + count].decode("latin-1")


def _sheet(stream: bytes, begin: int, special: dict[int, formats.Shown]) -> Facts:
    found = Facts()
    cell, double = struct.Struct("<HHH").unpack_from, struct.Struct("<d").unpack_from
    for kind, at, length in _records(stream, begin):
        if kind in (_NUMBER, _RK):
            row, column, style = cell(stream, at)
            if style in special:
                value = double(stream, at + 6)[0] if kind == _NUMBER else _of_rk(stream, at + 6)
                found.shown[row, column] = special[style](value)
        elif kind == _MULRK:
            row, column = struct.unpack_from("<HH", stream, at)
            for nth in range((length - 6) // 6):
                style = struct.unpack_from("<H", stream, at + 4 + 6 * nth)[0]
                if style in special:
                    found.shown[row, column + nth] = special[style](_of_rk(stream, at + 6 + 6 * nth))
        elif kind == _BOOLERR:
            row, column, _ = cell(stream, at)
            if stream[at + 7]:
                found.shown[row, column] = _ERRORS.get(stream[at + 6], UNCALCULATED)
        elif kind == _FORMULA:
            row, column, style = cell(stream, at)
            text = _of_formula(stream, at, special.get(style))
            if text:
                found.shown[row, column] = text
        elif kind == _ROW:
            if struct.unpack_from("<H", stream, at + 12)[0] & 0x20:
                found.hidden_rows.add(cell(stream, at)[0])
        elif kind == _COLINFO:
            first, last = struct.unpack_from("<HH", stream, at)
            if struct.unpack_from("<H", stream, at + 8)[0] & 1:
                found.hidden_columns.update(range(first, min(last, 255) + 1))
    return found


def _of_rk(stream: bytes, at: int) -> float:
    """A number in four bytes: a whole one or half a double, perhaps in hundredths."""
    (packed,) = struct.unpack_from("<i", stream, at)
    value = (
        float(packed >> 2) if packed & 2 else struct.unpack("<d", struct.pack("<q", (packed & ~3) << 32))[0]
    )
    return value / 100 if packed & 1 else value


def _of_formula(stream: bytes, at: int, show: formats.Shown | None) -> str | None:
    """What a formula shows; None where that is its bare value."""
    result, flags = stream[at + 6 : at + 14], struct.unpack_from("<H", stream, at + 14)[0]
    is_number = result[6:] != b"\xff\xff"
    if not is_number and result[0] == _IS_ERROR:
        return _ERRORS.get(result[2], UNCALCULATED)
    (value,) = struct.unpack("<d", result)
    if flags & _ON_LOAD and (value == 0 if is_number else result[0] == _IS_BLANK):
        return UNCALCULATED
    return show(value) if show and is_number else None
