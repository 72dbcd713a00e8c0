"""A number in every place where a sender can type, and the search that finds it wherever it has got to."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from openpyxl import Workbook
from openpyxl.comments import Comment

# Mobile numbers that the city gives to nobody, a hundred at most: nine digits are met by chance in no lake,
# seven once stood among other digits.
_NUMBER = r"139110000\d{2}"
_HEADER = ["资源编号", "资源名称", "资源类型", "学科", "提供单位", "发布日期"]
_LINE = ["R-2025-CANARY", "课例一则", "课例", "数学", "110000", "2025-09-01"]


class Canaries:
    """Numbers by the place where they were typed, each given out once."""

    def __init__(self) -> None:
        self.place: dict[str, str] = {}

    def at(self, place: str) -> str:
        """A name and a number for one place; `place` names them when they are found elsewhere."""
        assert len(self.place) < 100
        number = f"139110000{len(self.place):02d}"
        self.place[number] = place
        return f"柳如烟{number}"


def plant(landing: Path) -> dict[str, str]:
    """Land a few files of one sender with a number in every place; returns number -> place."""
    told = Canaries()
    files = {
        f"{told.at('name of a workbook')}.xlsx": _workbook(told),
        f"{told.at('name of a text file')}.csv": _text(told),
        f"{told.at('name of a JSON file')}.ndjson": _json(told),
        f"{told.at('name of an archive')}.zip": _archive(told),
        f"{told.at('name of a workbook sent back')}.xlsx": _nearly(told),
        f"{told.at('name of no table')}.pdf": b"%PDF-1.7 " + told.at("no table at all").encode(),
    }
    folder = landing / "resources" / "110000" / "2025-11-18_7"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return told.place


def _workbook(told: Canaries) -> bytes:
    """Taken: one line with a code of no list, an unknown column, a sheet nobody reads, a hidden one."""
    book = Workbook()
    book.properties.creator, book.properties.title = told.at("author"), told.at("title of a workbook")
    sheet = book.worksheets[0]
    sheet.title = told.at("name of a sheet")
    sheet.append([told.at("line above the header")])
    sheet.append([*_HEADER, told.at("unknown heading")])
    sheet.append([*_LINE[:3], told.at("code of no list"), *_LINE[4:], told.at("cell of an unknown column")])
    sheet["A3"].comment = Comment(told.at("comment"), told.at("author of a comment"))
    other = book.create_sheet(told.at("name of a sheet that is not read"))
    other.append([told.at("heading of no table"), told.at("another heading of no table")])
    hidden = book.create_sheet(told.at("name of a hidden sheet"))
    hidden.append([told.at("cell of a hidden sheet")])
    hidden.sheet_state = "hidden"
    return _bytes(book)


def _text(told: Canaries) -> bytes:
    """Held: no line can be taken."""
    header = [*_HEADER, "操作"]
    lines = [
        [told.at("line above the header of a text")],
        header,
        [*_LINE[:2], told.at("code in a key"), _LINE[3], told.at("cell of a refused line"), told.at("date")],
        [*_LINE, told.at("operation nobody knows")],
    ]
    return "\n".join(",".join(line) for line in lines).encode("gb18030")


def _json(told: Canaries) -> bytes:
    pairs = [f'"{key}": "{value}"' for key, value in zip(_HEADER[:5], _LINE[:5], strict=True)]
    pairs += [f'"发布日期": "{told.at("date in JSON")}"', f'"{told.at("unknown key")}": 1']
    return ("{" + ", ".join(pairs) + "}").encode()


def _archive(told: Canaries) -> bytes:
    """Sent back: a member that no dataset knows, a picture, a damaged member's name."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        lines = f"{told.at('heading in a member')},x\n{told.at('cell in a member')},1\n"
        archive.writestr(f"{told.at('name of a member')}.csv", lines)
        archive.writestr(f"{told.at('folder')}/{told.at('name of a picture')}.png", b"\x89PNG\r\n\x1a\n")
    return data.getvalue()


def _nearly(told: Canaries) -> bytes:
    """Sent back: a sheet that lacks one column."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = told.at("name of a sheet sent back")
    sheet.append([*_HEADER[:5], told.at("heading in place of a date")])
    sheet.append(_LINE)
    return _bytes(book)


def _bytes(book: Workbook) -> bytes:
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def numbers(text: str) -> set[str]:
    """Return the numbers that a text holds."""
    return {*re.findall(_NUMBER, text)}


def found(home: Path, apart: Iterable[Path]) -> dict[str, set[str]]:
    """Return number -> the files (relative to `home`) that hold it in any form, those in `apart` left out."""
    held: dict[str, set[str]] = {}
    left_out = [*apart]
    for file in sorted(home.rglob("*")):
        if any(folder == file or folder in file.parents for folder in left_out):
            continue
        name = str(file.relative_to(home))
        texts = [name, *(_texts(file) if file.is_file() else ())]
        for number in {number for text in texts for number in numbers(text)}:
            held.setdefault(number, set()).add(name)
    return held


def _texts(file: Path) -> Iterator[str]:
    """What a file says, unpacked: its bytes, and the rows of tables, archives and databases."""
    yield from _said(file.read_bytes())
    with file.open("rb") as opened:
        head = opened.read(16)
    if head.startswith(b"PAR1"):
        yield str(pq.read_table(file).to_pylist())
    elif head[8:12] == b"DUCK":
        with duckdb.connect(str(file), read_only=True) as db:
            names = 'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
            for (table,) in db.execute(names).fetchall():
                query = f"select r::varchar from {table} as r where regexp_matches(r::varchar, ?)"
                yield from (text for (text,) in db.execute(query, [_NUMBER]).fetchall())
    elif head.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            yield from db.iterdump()


def _said(data: bytes) -> Iterator[str]:
    # A number is ASCII in every encoding but UTF-16, where each digit has an empty byte beside it.
    yield data.replace(b"\0", b"").decode("latin-1")
    if data.startswith(b"\x1f\x8b"):
        yield from _said(gzip.decompress(data))
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename
                yield from _said(archive.read(info))
