"""Answers of SQL as a file: CSV for spreadsheets, JSON, Parquet. Each is written whole or not at all."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import orjson

from jobs import cells
from jobs.cli.screen import print_notes
from jobs.files import OUTPUT_MODE, replacing
from jobs.screen import Screen, console
from jobs.settings import UserError, writing

if TYPE_CHECKING:
    import duckdb

    from jobs.publish.confined import Session


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def format_of(given: Format | None, output: Path | None, *, csv: bool) -> Format:
    """The format that is asked for, by its name or by that of the file. Raises UserError for two of them."""
    if csv and given not in {None, Format.CSV}:
        raise UserError(f"--csv and --format {given} are two formats.", "Leave one of them out.")
    if given or csv:
        return given or Format.CSV
    if output is None:
        return Format.TABLE
    try:
        return Format(output.suffix.removeprefix(".").lower())
    except ValueError:
        raise UserError(
            f"the name {output.name} tells no format.", "Give --format table, csv, json or parquet."
        ) from None


def write(
    session: Session,
    statements: Sequence[duckdb.Statement],
    kind: Format,
    output: Path | None,
    *,
    limit: int,
    vertical: bool,
) -> None:
    """Write the answers, one after the other: to `output`, or printed. Remarks are printed beside them.

    Raises UserError for several answers in a format whose file holds one, and for Parquet on a screen.
    """
    if len(statements) > 1 and kind is not Format.TABLE:
        raise UserError(f"a file of {kind} holds one answer.", "Ask one SELECT, or leave --format out.")
    if output is None and kind is Format.PARQUET and sys.stdout.isatty():
        raise UserError("Parquet is not for a screen.", "Give --output FILE, or pipe it into a program.")
    with _target(output) as out:
        for number, statement in enumerate(statements, start=1):
            if kind is Format.PARQUET:
                _parquet(session, statement, out)
                continue
            with session.asked(statement) as answer:
                if kind is Format.TABLE:
                    rows, is_more = answer.first(limit)
                    screen = console if output is None else Screen(file=cast("TextIO", _Text(out)))
                    if number > 1:
                        screen.say("")
                    screen.table(answer.columns, rows, vertical=vertical)
                    if is_more:
                        console.say(f"the first {limit} rows are shown; --limit or --format csv shows more")
                elif kind is Format.CSV:
                    cells.write(cast("TextIO", _Text(out)), answer.columns, answer.rows())
                else:
                    _json(answer.columns, answer.rows(), out)
                print_notes(answer.notes)


@contextmanager
def _target(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with writing(output, of_lake=False), replacing(output, OUTPUT_MODE) as fresh, fresh.open("wb") as out:
        yield out


class _Text(io.TextIOBase):
    """A file of bytes as one of text, which closing it leaves open."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(text.encode("utf-8", "surrogateescape"))
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def _parquet(session: Session, statement: duckdb.Statement, out: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    with session.asked_as_arrow(statement) as answer:
        names = unique(answer.schema.names)
        schema = answer.schema.remove_metadata()
        for at, name in enumerate(names):
            schema = schema.set(at, schema.field(at).with_name(name))
        told = {"edulake.notes": "\n".join(answer.notes)} if answer.notes else {}
        with pq.ParquetWriter(out, schema.with_metadata(told)) as writer:
            for batch in answer.batches():
                writer.write_batch(batch.rename_columns(names))
        print_notes(answer.notes)


def _json(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: IO[bytes]) -> None:
    """A list of objects, one a line. Decimals and large whole numbers keep every digit."""
    names, separator = unique(columns), b"["
    for row in rows:
        made = {name: plain(value) for name, value in zip(names, row, strict=True)}
        out.write(separator + b"\n" + orjson.dumps(made))
        separator = b","
    out.write(b"\n]\n" if separator == b"," else b"[]\n")


def unique(names: Sequence[str]) -> list[str]:
    """The names, those that come again with a number behind them."""
    taken: set[str] = set()
    made = []
    for name in names:
        fresh, number = name, 1
        while fresh in taken:
            number += 1
            fresh = f"{name}_{number}"
        taken.add(fresh)
        made.append(fresh)
    return made


def plain(value: Any) -> Any:
    """A value as JSON has it: dates as text in ISO's form, what is no number as null."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value)) if value.is_finite() else None
    if isinstance(value, int):
        return orjson.Fragment(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
