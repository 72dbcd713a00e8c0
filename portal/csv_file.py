"""A table of a release as a CSV file that Excel opens as it is."""

from __future__ import annotations

import io
import re
from typing import IO
from urllib.parse import quote

from jobs import origin
from jobs.cells import Writer
from jobs.declare import missing
from jobs.sql import identifier, literals
from portal.snapshot import Snapshot

_BATCH_ROWS = 20_000
# Columns of these are sent as DuckDB writes them, with all their digits. All others are texts.
_NO_TEXT = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE|BOOLEAN|DATE|TIME.*")


def etag(snapshot: Snapshot, name: str, header: str) -> str:
    """The tag of the file; `header` is `name` or `zh`."""
    kind = f"{header}{'-made-up' if snapshot.is_synthetic else ''}"
    return snapshot.etag(snapshot.tables[name]["digest"][:12] + kind)


def disposition(snapshot: Snapshot, name: str) -> str:
    """The file's name on the reader's disk: its Chinese title, and a plain name for old clients."""
    title = quote(f"{snapshot.tables[name]['title_zh'] or name}-{snapshot.release.number}.csv")
    return f"attachment; filename=\"{name}-{snapshot.release.number}.csv\"; filename*=UTF-8''{title}"


def write(snapshot: Snapshot, name: str, start: int, limit: int | None, header: str, out: IO[bytes]) -> None:
    """Write the file: a mark that tells Excel this is UTF-8, the header, the rows from `start` on."""
    table = snapshot.tables[name]
    titles = [(header == "zh" and column["title_zh"]) or column["name"] for column in table["columns"]]
    write_cell = _in_words if header == "zh" else _written
    cells = ", ".join(write_cell(column["name"], column["type"]) for column in table["columns"])
    texts = [_NO_TEXT.fullmatch(column["type"]) is None for column in table["columns"]]
    if snapshot.is_synthetic:
        titles.append(origin.COLUMN_ZH if header == "zh" else origin.COLUMN)
        cells += ", 'true'"
        texts.append(False)
    end = table["rows"] if limit is None else min(start + limit, table["rows"])
    query = f"select {cells} from {identifier(name)} where rowid >= ? and rowid < ? order by rowid"
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = Writer(text, "\r\n")
    writer.line(titles)
    with snapshot.asked() as cursor:
        # Part by part: a query over the whole table would hold all of it in memory.
        for first in range(start, end, _BATCH_ROWS):
            rows = cursor.execute(query, [first, min(first + _BATCH_ROWS, end)]).fetchall()
            writer.typed(rows, texts)
    text.flush()
    text.detach()


def _in_words(column: str, kind: str) -> str:
    """The same; a reason of a missing value in words."""
    if not missing.is_reason_column(column):
        return _written(column, kind)
    name = identifier(column)
    told = " ".join(f"when {literals(c)} then {literals(w['zh'])}" for c, w in missing.reasons().items())
    return f"case {name} {told} else {name} end"


def _written(column: str, kind: str) -> str:
    """A cell as text. A decimal without digits before its point has a 0 there, which DuckDB leaves out."""
    is_decimal = re.fullmatch(r"DECIMAL\(\d+,\s*(\d+)\)", kind)
    wide = f"::decimal(38, {is_decimal[1]})" if is_decimal else ""
    return f"{identifier(column)}{wide}::varchar"
