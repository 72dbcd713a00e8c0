"""Cells of the files that we hand out, CSV and workbooks: a text stays a text in a spreadsheet.

A name that begins with `=` is run as a formula by the spreadsheet that opens a CSV file, and a sender must
not reach into a reader's machine. So such a text gets an apostrophe, as a person would type it. A workbook
says of each cell what it is: there a text is written as one, and stays as it was. Numbers stay numbers.
Every file that is handed out is written here. Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import date, time
from numbers import Number
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TextIO

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import xlsxwriter

# Full-width and small forms, which East Asian Excel takes for the plain ones; U+2212 is typed for a minus.
_SIGNS = frozenset("=+@-＝＋＠－﹦﹢﹫﹣−")
# The end of a line or a tab begins a new cell where the text is pasted, with or without a sign.
_NEW_CELL = frozenset("\t\n\v\f\r\x85\u2028\u2029")
# Letters without a picture; all other characters that nobody sees have a category of their own.
_UNSEEN_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me", "Zs", "Zl", "Zp"})
_CRLF = "\r\n"
# What every spreadsheet reads as that number and as nothing else.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Of these, no spreadsheet makes anything else; the text of any other value is guarded.
_NO_TEXT = (Number, date, time, type(None))


def guarded(text: str) -> str:
    """The text as a spreadsheet may open it: with an apostrophe before it where it could be run.

    What nobody sees, before a sign, does not keep the text from being run.
    """
    for character in text:
        if character in _SIGNS or character in _NEW_CELL:
            return f"'{text}"
        if character not in _UNSEEN_LETTERS and unicodedata.category(character) not in _UNSEEN:
            return text
    return text


def copied(text: str) -> str:
    """The guarded text of a cell that is copied from a file, where nobody says which columns hold numbers: a
    number as every spreadsheet reads it stays one.
    """
    return text if _NUMBER.fullmatch(text) else guarded(text)


def row(values: Iterable[Any]) -> list[Any]:
    """A line of a CSV file: every text guarded; numbers, dates and blanks as they are."""
    return [value if isinstance(value, _NO_TEXT) else guarded(str(value)) for value in values]


class _Lines:
    """The lines of a CSV writer that ends them with CR LF, with the end that is wanted.

    A writer with another end leaves a lone CR without quotes, and a spreadsheet begins a new line there.
    """

    def __init__(self, out: IO[str], end: str) -> None:
        self._out = out
        self._end = end

    def write(self, line: str) -> int:
        return self._out.write(line.removesuffix(_CRLF) + self._end)


class Writer:
    """Writes guarded lines of CSV."""

    def __init__(self, out: IO[str], end: str = "\n") -> None:
        self._writer = csv.writer(_Lines(out, end), lineterminator=_CRLF)

    def line(self, values: Iterable[Any]) -> None:
        self._writer.writerow(row(values))

    def lines(self, rows: Iterable[Iterable[Any]]) -> None:
        self._writer.writerows(row(values) for values in rows)

    def typed(self, rows: Iterable[Iterable[str | None]], is_text: Sequence[bool]) -> None:
        """Lines of values that are written out already; those of text columns are guarded."""
        self._writer.writerows(
            [guarded(v) if v and text else v for v, text in zip(values, is_text, strict=True)]
            for values in rows
        )

    def copies(self, rows: Iterable[Iterable[str | None]]) -> None:
        """Lines of cells that were read from a file: see `copied`."""
        self._writer.writerows(["" if cell is None else copied(cell) for cell in cells] for cells in rows)


def write(out: TextIO, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """A whole CSV file: the columns' names, then the rows."""
    writer = Writer(out)
    writer.line(columns)
    writer.lines(rows)


def write_frame(frame: pd.DataFrame, path: Path, *, is_packed: bool = False) -> None:
    """A whole CSV file of a frame without its index, or a gzip file of it."""
    from pandas.api import types

    plain = (types.is_numeric_dtype, types.is_bool_dtype, types.is_datetime64_any_dtype)
    texts = [at for at, kind in enumerate(frame.dtypes) if not any(is_plain(kind) for is_plain in plain)]
    guards = frame.copy(deep=False)
    for at in texts:
        column = frame.iloc[:, at].astype(object)
        made: Any = column.map(lambda value: row([value])[0], na_action="ignore")
        guards.isetitem(at, made)
    guards.columns = [guarded(str(name)) for name in frame.columns]
    with ExitStack() as files:
        raw: IO[bytes] = files.enter_context(path.open("wb"))
        if is_packed:
            # Without a time in it, equal frames are equal files.
            packed: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0)
            raw = files.enter_context(packed)
        out = files.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        lines: Any = _Lines(out, "\n")
        guards.to_csv(lines, index=False, lineterminator=_CRLF)


def write_table(table: pa.Table, out: BinaryIO) -> None:
    """A whole CSV file of an Arrow table, quoted where it must be."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            whole = table.column(at).combine_chunks().dictionary_encode()
            texts = pa.array(
                [None if v is None else guarded(v) for v in whole.dictionary.to_pylist()], field.type
            )
            table = table.set_column(at, field.name, texts.take(whole.indices))
    out.write((",".join(guarded(name) for name in table.column_names) + "\n").encode())
    arrow_csv.write_csv(table, out, arrow_csv.WriteOptions(include_header=False, quoting_style="needed"))


def workbook(target: Any, **options: Any) -> xlsxwriter.Workbook:
    """A new workbook, in which a text that begins with `=` or `http` is a text; `options` as xlsxwriter's."""
    import xlsxwriter

    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(target, {**options, **plain})
