"""How commands print: one console, and tables that are not cut when they go to a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(highlight=False)
# Progress and remarks: they stay out of a pipe that reads the answer.
remarks = Console(stderr=True, highlight=False)


def wide() -> Console:
    """The console; a very wide one when the output goes to a file or a pipe."""
    return console if console.is_terminal else Console(highlight=False, width=1000)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows as a table; null is blank."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    wide().print(table)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, csv: bool, limit: int) -> None:
    """Print the first `limit` rows as a table, or all rows as CSV."""
    if csv:
        import csv as writer

        out = writer.writer(sys.stdout, lineterminator="\n")
        out.writerow(columns)
        out.writerows(rows)
        return
    print_table(columns, rows[:limit])
    if len(rows) > limit:
        wide().print(f"{limit} of {len(rows)} rows shown; --limit or --csv shows more")
