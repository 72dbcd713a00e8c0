"""A table of a release as a CSV file that Excel opens as it is, sent while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from jobs.sql import identifier
from portal.snapshot import Snapshot

_BATCH_ROWS = 5000


def etag(snapshot: Snapshot, name: str, header: str) -> str:
    """The tag of the file; `header` is `name` or `zh`."""
    return snapshot.etag(snapshot.tables[name]["digest"][:12] + header)


def disposition(snapshot: Snapshot, name: str) -> str:
    """The file's name on the reader's disk: its Chinese title, and a plain name for old clients."""
    title = quote(f"{snapshot.tables[name]['title_zh'] or name}-{snapshot.release.number}.csv")
    return f"attachment; filename=\"{name}-{snapshot.release.number}.csv\"; filename*=UTF-8''{title}"


def lines(snapshot: Snapshot, name: str, start: int, limit: int | None, header: str) -> Iterator[bytes]:
    """The file in pieces: a mark that tells Excel this is UTF-8, the header, the rows from `start` on."""
    table = snapshot.tables[name]
    titles = [(header == "zh" and column["title_zh"]) or column["name"] for column in table["columns"]]
    cells = ", ".join(_cell(column["name"], column["type"]) for column in table["columns"])
    end = table["rows"] if limit is None else start + limit
    query = f"select {cells} from {identifier(name)} where rowid >= ? and rowid < ? order by rowid"
    yield "\ufeff".encode()
    rows = snapshot.cursor().execute(query, [start, end])
    batch: list[Any] = [titles]
    while batch:
        text = io.StringIO()
        csv.writer(text).writerows(batch)
        yield text.getvalue().encode()
        batch = rows.fetchmany(_BATCH_ROWS)


def _cell(column: str, kind: str) -> str:
    cell = f"{identifier(column)}::varchar"
    if kind != "VARCHAR":
        return cell
    # A spreadsheet would run such a text as a formula: a sender must not reach into a reader's machine.
    is_formula = f"regexp_matches({cell}, '^([=@\\t\\r]|[+-]([^0-9.]|$))')"
    return f"case when {is_formula} then '''' || {cell} else {cell} end"
