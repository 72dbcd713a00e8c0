"""The tables of a web page, such as pages that a school's system saves under the name of a workbook."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from jobs.reading.sheet import NoTableError, Sheet, blocks


def sheets(text: str, encoding: str, member: str | None) -> Iterator[Sheet]:
    """Yield every table of the page that has a cell. Raises NoTableError where there is none."""
    parser = _Tables()
    parser.feed(text)
    parser.close()
    parser.end_table()
    if not parser.tables:
        raise NoTableError("html_without_table")
    for number, rows in enumerate(parser.tables, 1):
        name = f"表{number}" if len(parser.tables) > 1 else None
        yield Sheet("html", encoding, member, name, blocks(enumerate(rows, 1)))


class _Tables(HTMLParser):
    """Rows of cells of each table; a cell over several rows stands in each of them, as the sender sees it."""

    MOST_SPAN = 1000

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._rows: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        # Column -> (rows still to fill, text).
        self._down: dict[int, tuple[int, str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.end_table()
        elif tag == "tr":
            self._end_row()
            self._row = []
        elif tag in ("td", "th"):
            self._end_cell()
            if self._row is None:
                self._row = []
            self._cell = []
            found = dict(attrs)
            self._spans = (self._span(found.get("rowspan")), self._span(found.get("colspan")))
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.end_table()
        elif tag == "tr":
            self._end_row()
        elif tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def end_table(self) -> None:
        self._end_row()
        if any(any(row) for row in self._rows):
            self.tables.append(self._rows)
        self._rows, self._down = [], {}

    def _span(self, written: str | None) -> int:
        return max(1, min(int(written), self.MOST_SPAN)) if written and written.isdecimal() else 1

    def _filled(self) -> None:
        """Put in what cells of rows above reach down to here."""
        assert self._row is not None
        while len(self._row) in self._down:
            column = len(self._row)
            left, text = self._down[column]
            self._row.append(text)
            if left > 1:
                self._down[column] = (left - 1, text)
            else:
                del self._down[column]

    def _end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        text = "".join(self._cell).strip()
        self._cell = None
        self._filled()
        rows, columns = self._spans
        for nth in range(columns):
            if rows > 1:
                self._down[len(self._row)] = (rows - 1, text if nth == 0 else "")
            self._row.append(text if nth == 0 else "")

    def _end_row(self) -> None:
        self._end_cell()
        if self._row is not None:
            self._filled()
            self._rows.append(self._row)
            self._row = None
