"""The tables of a web page, such as pages that a school's system saves under the name of a workbook.

One pass over the text: whatever stands in it, no sign is looked at more often than a few times. A page that
breaks off within a tag or a comment is refused, since the tables behind it would be lost without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from jobs.reading.sheet import NoTableError, Sheet, UnreadableError, blocks

MOST_SPAN = 1000
# Cells that stand in the table only because others reach over them: no page of a school has so many.
MOST_SPANNED = 5_000_000

_BEGINS = re.compile(r"<(?:!--|!doctype|\?xml|[a-z])")
_TABLE = re.compile(rb"<(?:table|html|tr|td)\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)")
# An attribute with its value; a quotation mark counts only behind an equals sign.
_REST = re.compile(r"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])))*+>")
_ATTRIBUTE = re.compile(r"([^\s=/>]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]*+))")
# Their content is text, whatever it looks like.
_RAW = {"script", "style", "textarea", "title", "xmp"}


def is_page(lowered: str, data: bytes) -> bool:
    """Whether a text is a web page: it begins with a tag (in lower case here), and a table follows."""
    return bool(_BEGINS.match(lowered)) and (
        lowered.startswith(("<!doctype html", "<html")) or bool(_TABLE.search(data))
    )


def sheets(text: str, encoding: str, member: str | None) -> Iterator[Sheet]:
    """Yield every table of the page that has a cell.

    Raises NoTableError where there is none, UnreadableError for a page that breaks off.
    """
    tables = _Tables()
    for tag, content in tokens(text):
        tables.take(tag, content)
    tables.end_table()
    if not tables.found:
        raise NoTableError("html_without_table")
    for number, rows in enumerate(tables.found, 1):
        name = f"表{number}" if len(tables.found) > 1 else None
        yield Sheet("html", encoding, member, name, blocks(enumerate(rows, 1)))


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("", text) and (tag, its attributes) in order; the tag of an end begins with a stroke.

    Raises UnreadableError where a tag or a comment never ends.
    """
    at = 0
    while (begin := text.find("<", at)) >= 0:
        if begin > at:
            yield "", text[at:begin]
        tag = _TAG.match(text, begin)
        if tag:
            rest = _REST.match(text, tag.end())
            if rest is None:
                raise _broken(text, begin)
            at = rest.end()
            name = tag[2].lower()
            yield tag[1] + name, text[tag.end() : at - 1]
            if name in _RAW and not tag[1]:
                at = _end_of_raw(text, at, name)
        elif text.startswith("<!--", begin):
            at = _behind(text, begin, "-->", begin + 4)
        elif text.startswith("<![CDATA[", begin):
            at = _behind(text, begin, "]]>", begin + 9)
            yield "", text[begin + 9 : at - 3].replace("&", "&amp;")
        elif text[begin + 1 : begin + 2] in ("!", "?", "/"):
            at = _behind(text, begin, ">", begin + 1)
        else:
            yield "", "<"
            at = begin + 1
    yield "", text[at:]


def _behind(text: str, begin: int, end: str, at: int) -> int:
    found = text.find(end, at)
    if found < 0:
        raise _broken(text, begin)
    return found + len(end)


def _end_of_raw(text: str, at: int, name: str) -> int:
    end = re.compile(rf"</{name}\b", re.IGNORECASE).search(text, at)
    if end is None:
        raise _broken(text, at)
    return end.start()


def _broken(text: str, at: int) -> UnreadableError:
    return UnreadableError("html_damaged", line=text.count("\n", 0, at) + 1)


class _Tables:
    """Rows of cells of each table; a cell over several rows stands in each of them, as the sender sees it."""

    def __init__(self) -> None:
        self.found: list[list[list[str]]] = []
        self._rows: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        self._spanned = 0
        # Column -> (rows still to fill, text).
        self._down: dict[int, tuple[int, str]] = {}

    def take(self, tag: str, content: str) -> None:
        """Take the next token of the page."""
        if not tag:
            if self._cell is not None:
                self._cell.append(content)
        elif tag in ("table", "/table"):
            self.end_table()
        elif tag == "tr":
            self._end_row()
            self._row = []
        elif tag == "/tr":
            self._end_row()
        elif tag in ("td", "th"):
            self._end_cell()
            if self._row is None:
                self._row = []
            self._cell = []
            found = {m[1].lower(): m[2] or m[3] or m[4] or "" for m in _ATTRIBUTE.finditer(content)}
            self._spans = _span(found.get("rowspan")), _span(found.get("colspan"))
        elif tag in ("/td", "/th"):
            self._end_cell()
        elif tag in ("br", "br/") and self._cell is not None:
            self._cell.append("\n")

    def end_table(self) -> None:
        """Keep the table that is open, if it has a cell."""
        self._end_row()
        if any(any(row) for row in self._rows):
            self.found.append(self._rows)
        self._rows, self._down = [], {}

    def _fill(self) -> None:
        """Put in what cells of rows above reach down to here."""
        assert self._row is not None
        while len(self._row) in self._down:
            column = len(self._row)
            left, text = self._down[column]
            self._add(text)
            if left > 1:
                self._down[column] = (left - 1, text)
            else:
                del self._down[column]

    def _add(self, text: str) -> None:
        assert self._row is not None
        self._row.append(text)
        self._spanned += 1
        if self._spanned > MOST_SPANNED:
            raise UnreadableError("html_too_wide")

    def _end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        text = _text("".join(self._cell)).strip()
        self._cell = None
        self._fill()
        rows, columns = self._spans
        for nth in range(columns):
            if rows > 1:
                self._down[len(self._row)] = (rows - 1, text if nth == 0 else "")
            if nth == 0:
                self._row.append(text)
            else:
                self._add("")

    def _end_row(self) -> None:
        self._end_cell()
        if self._row is not None:
            self._fill()
            self._rows.append(self._row)
            self._row = None


def _span(written: str | None) -> int:
    digits = (written or "").strip()
    return max(1, min(int(digits[:9]), MOST_SPAN)) if digits.isdecimal() else 1


def _text(written: str) -> str:
    try:
        return unescape(written)
    except ValueError:  # a reference by a number of thousands of digits
        return written
