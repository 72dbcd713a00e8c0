"""How answers of SQL are printed, and what is said beside an answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jobs import cells, origin
from jobs.screen import console, remarks

if TYPE_CHECKING:
    from jobs.publish.confined import Answer
    from jobs.settings import Settings


def print_answer(answer: Answer, *, csv: bool, limit: int) -> None:
    """Print the first `limit` rows of an answer as a table, or all as CSV, and what belongs to them."""
    if csv:
        cells.write(sys.stdout, answer.columns, answer.rows())
    else:
        rows, is_more = answer.first(limit)
        console.table(answer.columns, rows)
        if is_more:
            console.say(f"the first {limit} rows are shown; --limit or --csv shows more")
    print_notes(answer.notes)


def print_notes(notes: Iterable[str]) -> None:
    """Print what belongs to an answer beside it, where it does not get into a file of the answer."""
    for note in notes:
        remarks.say(note)


def print_origin(settings: Settings) -> None:
    """Say beside an answer that it is of a made-up city, if it is."""
    print_notes([origin.LINE] if settings.is_synthetic else [])
