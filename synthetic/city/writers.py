"""Landing paths, encodings and containers of files. Each file appears whole, by one rename."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from jobs.files import replacing
from synthetic.city.workbook import Cell, Table, workbook

Progress = Callable[[str], None]


@dataclass
class Landing:
    """The directory the files go to, and a count of what went there."""

    out: Path
    on_progress: Progress | None = None
    files: list[str] = field(default_factory=list)  # feed/sender/delivery/file
    rows: int = 0
    byte_count: int = 0

    def put(
        self, feed: str, sender: str, day: date, name: str, data: bytes, rows: int, number: int = 1
    ) -> Path:
        """Write one file of the delivery `day`_`number`; replaces an earlier one of the same name.

        One that lies there with the same bytes, of a run that was killed, is left alone.
        """
        path = self.out / feed / sender / f"{day.isoformat()}_{number}" / name
        if not (path.is_file() and path.read_bytes() == data):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                fresh.write_bytes(data)
        self.files.append(f"{feed}/{sender}/{path.parent.name}/{name}")
        self.rows += rows
        self.byte_count += len(data)
        if self.on_progress:
            self.on_progress(shown(self.files[-1]))
        return path


def shown(file: str) -> str:
    """A file as the progress bar shows it: feed, sender and name."""
    feed, sender, _, name = file.split("/")
    return f"{feed}/{sender}/{name}"


def csv_bytes(headings: Sequence[str], rows: Iterable[Sequence[Cell]], encoding: str) -> bytes:
    """Comma-separated text with CRLF, as office programs export it; encoded as it is written."""
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding=encoding, newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(headings)
        writer.writerows(rows)
        text.flush()
        return target.getvalue()


def text_bytes(*texts: Iterable[str], encoding: str) -> bytes:
    """Pieces of text one behind the other, encoded as they come."""
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding=encoding, newline="") as text:
        for pieces in texts:
            text.writelines(pieces)
        text.flush()
        return target.getvalue()


def ndjson_bytes(records: Iterable[Mapping[str, Any]]) -> bytes:
    """One JSON object a line, UTF-8."""
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return text_bytes((f"{dump(record)}\n" for record in records), encoding="utf-8")


def xlsx_bytes(*tables: Table) -> bytes:
    """A workbook with these tables as its sheets."""
    return workbook(tables)
