"""What the files of a landing say, read in plain Python: nothing of the lake helps to read or to count them.

`truth/` of a synthetic city names each fault that was planted, by file and line, and whose number is whose.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from python_calamine import CalamineWorkbook

# Planted faults for which a line is sent back.
REFUSED = {
    "roll_bad_check_digit",
    "roll_lost_digits",
    "return_letters_in_count",
    "use_repeated_line",
    "result_height_in_metres",
    "result_letters_in_count",
}
Row = dict[str, str]


@dataclass(frozen=True, order=True)
class File:
    """One file: when it was handed in, by whom."""

    received: str
    number: int
    sender: str
    path: Path = field(compare=False)


class Landing:
    """The files of one site's landing beside the truth of its city."""

    def __init__(self, landing: Path, truth: Path) -> None:
        self._landing = landing
        self._refused: set[tuple[str, int]] = set()
        for row in csv.DictReader((truth / "faults.csv").open(encoding="utf-8")):
            if row["kind"] in REFUSED:
                self._refused.add((row["file"], int(row["line"])))
        # A pupil's temporary number -> the lasting one.
        self.lasting = {
            row["pupil_number"]: row["other_pupil_number"]
            for row in csv.DictReader((truth / "identities.csv").open(encoding="utf-8"))
            if row["kind"] == "temporary_number"
        }

    def files(self, name: str, least: int = 1) -> list[File]:
        """The files whose names begin so, the first delivery first; `least` of them at least."""
        found = []
        for path in self._landing.glob(f"*/*/*/{name}*"):
            received, _, number = path.parent.name.partition("_")
            found.append(File(received, int(number), path.parents[1].name, path))
        assert len(found) >= least, f"no file is called {name}"
        return sorted(found)

    def newest(self, name: str) -> dict[str, File]:
        """The newest file of this name by sender."""
        return {file.sender: file for file in self.files(name)}

    def rows(self, file: File) -> Iterator[Row]:
        """The lines of a file by their headings, without those that are sent back."""
        told = file.path.relative_to(self._landing).as_posix()
        for line, row in _lines(file.path):
            if (told, line) not in self._refused:
                yield row

    def pupil(self, number: str) -> str:
        """One number for one pupil."""
        plain = unicodedata.normalize("NFKC", number)
        return self.lasting.get(plain, plain)


def _lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Line number and cells by heading, of the first sheet."""
    data = path.read_bytes()
    if path.suffix == ".ndjson":
        for line, text in enumerate(data.decode("utf-8").splitlines(), 1):
            yield line, {name: _text(value) for name, value in json.loads(text).items()}
        return
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
        # Without `skip_empty_area` the lines keep the numbers that they have in the sheet.
        lines = [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    else:
        text = _decoded(data)
        tabs = "\t" in text.partition("\n")[0]
        lines = [
            [_unquoted(cell) for cell in row]
            for row in csv.reader(io.StringIO(text), delimiter="\t" if tabs else ",")
        ]
    # A title, or headings that stand over several columns, fill fewer cells.
    head = max(range(min(4, len(lines))), key=lambda at: sum(map(bool, lines[at])))
    for line, row in enumerate(lines[head + 1 :], head + 2):
        # the forms of the yearly statistics number their columns below the headings
        if row[:1] == ["甲"]:
            continue
        yield line, dict(zip(lines[head], row, strict=False))


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def _unquoted(cell: str) -> str:
    """An old program's text: NULL for nothing, an apostrophe before long numbers."""
    return "" if cell == "NULL" else cell.removeprefix("'")


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def day(cell: str) -> date:
    """20250901, 2025-09-01, 2025/9/1, or a spreadsheet's number of the day."""
    if cell.isdigit() and len(cell) == 8:
        return date(int(cell[:4]), int(cell[4:6]), int(cell[6:]))
    if cell.isdigit():
        return date(1899, 12, 30) + timedelta(days=int(cell))
    return date(*map(int, cell[:10].replace("/", "-").split("-")))
