"""The hidden truth: tables that writers fill, stored beside the landing and never in it.

    part.truth.write("fabrications", ("school_code", "class_name", "kind"), rows)

Each table becomes `truth/<name>.csv`. Services are graded against them; nothing else reads them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from jobs.files import replacing

Value = str | int | float | bool | date | None


@dataclass
class Truth:
    """Tables by name: their columns, and rows as text in the order in which they were written."""

    tables: dict[str, tuple[list[str], list[list[str]]]] = field(default_factory=dict)

    def write(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Add rows to the table `name`; every call names the same columns.

        Dates in ISO form, null as nothing, truth as 1 or 0. Without rows the table is there, and empty.
        """
        known, lines = self.tables.setdefault(name, (list(columns), []))
        if known != list(columns):
            raise ValueError(f"truth/{name}.csv has columns {known}, not {list(columns)}")
        for row in rows:
            if len(row) != len(known):
                raise ValueError(f"truth/{name}.csv: a row of {len(row)} values for {len(known)} columns")
            lines.append([_text(value) for value in row])

    def add(self, other: Truth) -> None:
        for name, (columns, rows) in other.tables.items():
            self.write(name, columns, rows)

    def save(self, folder: Path) -> None:
        """Every table as `<folder>/<name>.csv`, UTF-8."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (columns, rows) in self.tables.items():
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
            with replacing(folder / f"{name}.csv") as fresh:
                fresh.write_text(text.getvalue(), encoding="utf-8")


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)
