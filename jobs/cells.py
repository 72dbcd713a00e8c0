"""Cells of the CSV files that we hand out: a text is a text there, whatever a spreadsheet would make of it.

A name that begins with `=` is run as a formula by the spreadsheet that opens the file, and a sender must not
reach into a reader's machine. So such a text gets an apostrophe, as a person would type it. Numbers
stay numbers.
Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

# Full-width and small forms, which East Asian Excel takes for the plain ones; U+2212 is typed for a minus.
_SIGNS = "=+@-＝＋＠－﹦﹢﹫﹣−"
# Blanks of any width, and marks without one, before a sign do not keep it from being run. A tab or the end of
# a line begins a new cell where the text is pasted, with or without a sign.
_BLANK = r"[\s\x00-\x20\x7f-\xa0\xad\u180e\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]"
_RUNS = re.compile(rf"[\t\r\n]|{_BLANK}*[{re.escape(_SIGNS)}]")


def guarded(text: str) -> str:
    """The text as a spreadsheet may open it: with an apostrophe before it where it could be run."""
    return f"'{text}" if _RUNS.match(text) else text


def row(values: Iterable[Any]) -> list[Any]:
    """A line of a CSV file: every text guarded, everything else as it is."""
    return [guarded(value) if isinstance(value, str) else value for value in values]


def write(out: TextIO, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """A whole CSV file: the columns' names, then the rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(row(columns))
    writer.writerows(row(values) for values in rows)
