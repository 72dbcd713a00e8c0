"""How answers of SQL are printed, and what is said beside an answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jobs import cells, origin
from jobs.screen import console, remarks

if TYPE_CHECKING:
    from jobs.publish.catalog import Table
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


def print_tables(tables: Sequence[Table], word: str) -> None:
    """Print tables with what they are: all of them, or those that mean a word, best first."""
    from jobs.publish import catalog

    found = catalog.search(tables, word) if word else [catalog.Found(table, 0) for table in tables]
    if not found:
        console.say(f"没有找到与“{word}”有关的数据表。 No table means {word!r}; `--list` alone shows all.")
        return
    head = ["table", *(["view"] if any(one.table.name_zh for one in found) else []), "title"]
    head += ["columns"] if word else []
    rows = []
    for one in found:
        row = {"table": one.table.name, "view": one.table.name_zh, "title": one.table.title}
        names = {column[0]: column[1] for column in one.table.columns}
        row["columns"] = ", ".join(f"{name} {names[name]}".strip() for name in one.columns)
        rows.append([row[name] for name in head])
    console.table(head, rows, breakable=["title", "columns"])


def print_origin(settings: Settings) -> None:
    """Say beside an answer that it is of a made-up city, if it is."""
    print_notes([origin.LINE] if settings.is_synthetic else [])
