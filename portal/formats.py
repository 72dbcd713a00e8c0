"""A table as a file: CSV, workbook, Parquet, Arrow stream; which one is asked for, and how it is sent."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse

from jobs import origin
from jobs.cells import Writer
from jobs.declare import missing
from jobs.sql import identifier, literals
from portal import encodings, filters, workbook
from portal.asked import Asked
from portal.downloads import Downloads
from portal.problems import ProblemError
from portal.selection import Selection

# Name -> media type. The first is what a reader gets who does not say.
MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ENDINGS = {"arrow": "arrows"}
# Their bytes are packed already.
_PACKED = ("xlsx", "parquet")
# Columns of these are sent as DuckDB writes them, with all their digits. All others are texts.
_NO_TEXT = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE|BOOLEAN|DATE|TIME.*")


@dataclass(frozen=True)
class File:
    """A file that is asked for: its format, whether its head has names or Chinese titles, which rows."""

    format: str
    header: str = "name"
    after: int | None = None
    limit: int | None = None


def chosen(asked: str | None, accepted: str) -> str:
    """The format that a request asks for, by `?format=` or else by its Accept header. Raises ProblemError."""
    if asked is not None:
        if asked not in MEDIA:
            listed = ", ".join(MEDIA)
            raise filters.wrong("format", f"可选 {listed}", f"must be one of {listed}")
        return asked
    if not accepted or accepted == "*/*":
        return "json"
    best, found = 0.0, ""
    for name, media in MEDIA.items():
        liked = _liked(accepted, media.partition(";")[0])
        if liked > best:
            best, found = liked, name
    if not found:
        listed = ", ".join(media.partition(";")[0] for media in MEDIA.values())
        raise ProblemError(
            406,
            "not-acceptable",
            "没有这种格式",
            f"none of the formats in Accept. There are: {listed}",
            detail_zh=f"请求的格式都不支持。可用格式：{listed}",
        )
    return found


def _liked(accepted: str, media: str) -> float:
    """How well a reader likes a type: the most exact of his ranges counts."""
    found = (-1, 0.0)
    for part in accepted.lower().split(","):
        name, _, weight = part.strip().partition(";")
        ranges = ("*/*", f"{media.partition('/')[0]}/*", media)
        if name.strip() in ranges:
            try:
                found = max(found, (ranges.index(name.strip()), float(weight.partition("q=")[2] or 1)))
            except ValueError:
                continue
    return found[1]


async def respond(asked: Asked, selection: Selection, file: File) -> Response:
    """The file, made whole before its first byte is sent, and kept for the next who asks for it."""
    packs = file.format not in _PACKED
    encoding = encodings.chosen(asked.request.headers.get("accept-encoding", "")) if packs else ""
    etag = _etag(selection, file, encoding)
    ending = _ENDINGS.get(file.format, file.format)
    headers = {**asked.headers(etag), "content-disposition": disposition(selection, ending)}
    if asked.is_known(etag):
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["content-encoding"] = encoding
    downloads: Downloads = asked.request.app.state.downloads
    made = await downloads.get(etag, lambda out: _write(selection, file, encoding, out))
    headers["content-length"] = str(made.size)
    return StreamingResponse(made.pieces(), media_type=MEDIA[file.format], headers=headers)


def _etag(selection: Selection, file: File, encoding: str) -> str:
    """The tag of the file: a release never changes, so it is named by what is asked."""
    snapshot = selection.snapshot
    held = snapshot.release.manifest["files"][f"{snapshot.audience}.duckdb"]["sha256"]
    parts = (held, selection.mark, selection.columns, file, encoding, snapshot.is_synthetic)
    return snapshot.etag(hashlib.sha256(repr(parts).encode()).hexdigest())


def disposition(selection: Selection, ending: str) -> str:
    """The file's name on the reader's disk: its Chinese title, and a plain name for old clients."""
    number = selection.snapshot.release.number
    title = quote(f"{selection.told['title_zh'] or selection.table}-{number}.{ending}", safe="")
    return f"attachment; filename=\"{selection.table}-{number}.{ending}\"; filename*=UTF-8''{title}"


def _write(selection: Selection, file: File, encoding: str, out: IO[bytes]) -> None:
    writers: dict[str, Callable[[Selection, File, IO[bytes]], None]] = {
        "csv": _csv,
        "xlsx": _xlsx,
        "parquet": _parquet,
        "arrow": _arrow,
    }
    if not encoding:
        writers[file.format](selection, file, out)
        return
    packed = encodings.stream(out, encoding)
    writers[file.format](selection, file, packed)
    packed.close()


def _csv(selection: Selection, file: File, out: IO[bytes]) -> None:
    """A mark that tells Excel this is UTF-8, the header, the rows."""
    told, in_words = selection.told_columns, file.header == "zh"
    titles = [(in_words and column["title_zh"]) or column["name"] for column in told]
    write_cell = _in_words if in_words else _written
    cells = [write_cell(column["name"], column["type"]) for column in told]
    texts = [_NO_TEXT.fullmatch(column["type"]) is None for column in told]
    if selection.snapshot.is_synthetic:
        titles.append(origin.COLUMN_ZH if in_words else origin.COLUMN)
        cells.append("'true'")
        texts.append(False)
    lines = io.StringIO(newline="")
    writer = Writer(lines, "\r\n")
    writer.line(titles)
    out.write("\ufeff".encode())
    for cursor, query, values in selection.queries(cells, file.after, file.limit):
        result = cursor.execute(query, values)
        while rows := result.fetchmany(20_000):
            writer.typed(rows, texts)
            out.write(lines.getvalue().encode())
            lines.seek(0)
            lines.truncate()
    out.write(lines.getvalue().encode())


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


def _xlsx(selection: Selection, file: File, out: IO[bytes]) -> None:
    count = selection.count() if file.limit is None else min(file.limit, selection.count())
    if count > workbook.MOST_ROWS:
        most = workbook.MOST_ROWS
        raise ProblemError(
            413,
            "too-many-rows",
            "行数太多，不能生成 Excel 工作簿",
            f"{count} rows; a workbook holds {most}: filter them, or take format=csv or format=parquet",
            detail_zh=f"共 {count} 行，工作簿最多 {most} 行：请先筛选，或改用 format=csv、format=parquet",
        )
    workbook.write(selection, file.after, file.limit, out)


def _parquet(selection: Selection, file: File, out: IO[bytes]) -> None:
    from pyarrow import parquet

    _batches(selection, file, lambda schema: parquet.ParquetWriter(out, schema, compression="zstd"))


def _arrow(selection: Selection, file: File, out: IO[bytes]) -> None:
    import pyarrow as pa

    _batches(selection, file, lambda schema: pa.ipc.new_stream(out, schema))


def _batches(selection: Selection, file: File, opened: Callable[[Any], Any]) -> None:
    """Write the rows in Arrow, with the meaning of each column; of a made-up city each row says so."""
    cells: Sequence[str] = [identifier(name) for name in selection.columns]
    if selection.snapshot.is_synthetic:
        cells = [*cells, f"true as {origin.COLUMN}"]
    # Of no row, for a table without any has no part.
    cursor, query, values = next(selection.queries(cells, None, 0))
    schema = _told(selection, cursor.sql(query, params=values).to_arrow_reader().schema)
    with opened(schema) as writer:
        for cursor, query, values in selection.queries(cells, file.after, file.limit):
            for part in cursor.sql(query, params=values).to_arrow_reader():
                writer.write_batch(part.cast(schema))


def _told(selection: Selection, schema: Any) -> Any:
    """The schema with what the release says: of the table, and of each column."""
    snapshot = selection.snapshot
    for at, column in enumerate(selection.told_columns):
        words = {"title_zh": column["title_zh"], "description": column["description"]}
        schema = schema.set(at, schema.field(at).with_metadata(words))
    manifest = snapshot.release.manifest
    return schema.with_metadata(
        {
            "table": selection.table,
            "release": str(snapshot.release.number),
            "version": selection.version or "",
            "as_of_date": manifest["as_of_date"],
            "synthetic": str(snapshot.is_synthetic).lower(),
        }
    )
