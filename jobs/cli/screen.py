"""How commands print: one console, and tables that are not cut when they go to a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from jobs import cells, origin

if TYPE_CHECKING:
    from jobs.publish.questions import Answer
    from jobs.settings import Settings

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


def print_answer(answer: Answer, *, csv: bool, limit: int) -> None:
    """Print the first `limit` rows of an answer as a table, or all as CSV, and what belongs to them."""
    if csv:
        cells.write(sys.stdout, answer.columns, answer.rows())
    else:
        rows, is_more = answer.first(limit)
        print_table(answer.columns, rows)
        if is_more:
            wide().print(f"the first {limit} rows are shown; --limit or --csv shows more")
    print_notes(answer.notes)


def print_notes(notes: Iterable[str]) -> None:
    """Print what belongs to an answer beside it, where it does not get into a file of the answer."""
    for note in notes:
        remarks.print(note, markup=False, soft_wrap=True)


def print_origin(settings: Settings) -> None:
    """Say beside an answer that it is of a made-up city, if it is."""
    print_notes([origin.LINE] if settings.is_synthetic else [])
