"""Files sent again: lines of forgotten pupils leave them before anything is read, wrong values are set right.

The tombstones are keyed, so each identifier of a waiting file is asked for by its HMAC. A site that has
forgotten and corrected nobody reads nothing here. What is judged later (`staged`) refuses such a line too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from jobs import declare
from jobs.declare import Contract
from jobs.ingest import landed
from jobs.ingest.landed import Change, Opened, Place
from jobs.lake import deliveries, forgotten, identity
from jobs.lake.forgotten import Forgotten, plain, struck
from jobs.reading.isolated import Found
from jobs.settings import Settings

NUMBER, DOCUMENT, NAME = "pupil_national_id", "id_document_number", "pupil_name"
# What may be a number or a document: anything else need not be asked for.
_MAY_IDENTIFY = re.compile(r"[A-Z]{0,4}\d{6,}[A-Z0-9]*")


def withhold(settings: Settings, feed: str) -> None:
    """Write the feed's waiting files again without lines of forgotten pupils, and with corrected values.

    Called again it changes nothing. The receipt of such a file says how many lines were taken out.
    """
    known = forgotten.load(settings)
    contracts = {contract.dataset: contract for contract in declare.datasets_of(feed)}
    if not (known.tombstones or known.corrections) or not any(c.person_key for c in contracts.values()):
        return
    waiting = [file for file in deliveries.pending(settings) if file.feed == feed]
    look = _Look(known)
    for file, opened in zip(waiting, landed.open_files(settings, waiting), strict=True):
        change = look.change(opened, contracts.get(opened.found.dataset or ""))
        # The name on a line that goes, and identifiers wherever they were typed.
        words = {*change.words} | look.words([*opened.typed, file.name])
        if change.gone or change.cells or any(struck(text, words) != text for text in opened.typed):
            landed.write_again(settings, file, opened, Change(change.gone, change.cells, words))
            if change.gone:
                forgotten.add(settings, withheld={file.sha256: len({*change.gone})})
        landed.rename(settings, file, words)


def withheld(
    settings: Settings, contract: Contract, found: Found, lines: Iterable[pa.RecordBatch]
) -> tuple[list[pa.RecordBatch], int]:
    """The lines of a file that is not landed as `withhold` would leave them, and how many it would take out;
    `found` is set to fit them.
    """
    look, listed = _Look(forgotten.load(settings)), [*lines]
    opened = Opened.of(found, listed)
    change = look.change(opened, contract)
    kept, gone = [], {*change.gone}
    for batch in listed:
        rows = [
            row
            | {"cells": [change.cells.get(_place(row), {}).get(at, c) for at, c in enumerate(row["cells"])]}
            for row in batch.to_pylist()
            if _place(row) not in gone
        ]
        kept.append(pa.RecordBatch.from_pylist(rows, schema=batch.schema))
    for number, _ in gone:
        found.tables[number].line_count -= 1
    return kept, len(gone)


def is_asked(settings: Settings, contract: Contract) -> bool:
    """Whether lines of a dataset may be of somebody whom the site has forgotten or corrected."""
    known = forgotten.load(settings)
    return bool(contract.person_key and (known.tombstones or known.corrections))


def _place(row: Mapping[str, Any]) -> Place:
    return row["_table"], row["_line_number"]


@dataclass
class _Look:
    """What is known of forgotten and corrected pupils, asked for value by value."""

    known: Forgotten
    _seen: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._gone = frozenset(self.known.tombstones)

    def change(self, opened: Opened, contract: Contract | None) -> Change:
        """What has to change in the lines of a file."""
        gone: list[Place] = []
        names: set[str] = set()
        cells: dict[Place, Mapping[int, str]] = {}
        for number, table in enumerate(opened.found.tables):
            columns = zip(contract.columns, table.positions, strict=True) if contract else []
            at = {column.name: place for column, place in columns if place >= 0}
            for line, row in opened.lines.get(number, {}).items():
                if self._is_gone(row, at):
                    gone.append((number, line))
                    names |= {row[at[NAME]] or ""} if at.get(NAME, len(row)) < len(row) else set()
                elif fresh := self._corrected(row, at):
                    cells[number, line] = fresh
        return Change(gone, cells, names - {""})

    def words(self, texts: list[str]) -> set[str]:
        """The identifiers of forgotten pupils that stand in what was typed."""
        # Word by word, and as one word: a number may be typed with blanks in it.
        parts = (part for text in texts for part in (*re.split(r"[\W_]+", text), text))
        found = {word for part in parts for word in _MAY_IDENTIFY.findall(plain(part))}
        return {
            word for word in found if self._is_forgotten(NUMBER, word) or self._is_forgotten(DOCUMENT, word)
        }

    def _is_gone(self, row: list[str | None], at: Mapping[str, int]) -> bool:
        document = at.get(DOCUMENT, -1)
        if 0 <= document < len(row) and self._is_forgotten(DOCUMENT, plain(row[document])):
            return True
        return any(self._is_forgotten(NUMBER, word) for word in _identifiers(row))

    def _corrected(self, row: list[str | None], at: Mapping[str, int]) -> dict[int, str]:
        """Position -> right value, of the values of the row that were found wrong."""
        if not self.known.corrections:
            return {}
        told = {name: plain(row[place]) for name, place in at.items() if place < len(row)}
        found = {}
        for name, value in told.items():
            right = self._right(name, wrong(told, value))
            if right is not None:
                found[at[name]] = right
        return found

    def _is_forgotten(self, kind: str, identifier: str) -> bool:
        return bool(identifier) and self._hmac(kind, identifier) in self._gone

    def _right(self, column: str, value: str) -> str | None:
        return self.known.corrections.get(self._hmac(column, value))

    def _hmac(self, kind: str, value: str) -> str:
        if (kind, value) not in self._seen:
            self._seen[kind, value] = identity.lookup_hmac(kind, value, self.known.lookup)
        return self._seen[kind, value] or ""


def wrong(told: Mapping[str, str], value: str) -> str:
    """What a correction is kept under: the value, of the one whom number (else document) and name tell."""
    return f"{told.get(NUMBER) or told.get(DOCUMENT) or ''}|{told.get(NAME) or ''}|{value}"


def _identifiers(row: list[str | None]) -> Iterator[str]:
    for cell in row:
        if cell and _MAY_IDENTIFY.fullmatch(word := plain(cell)):
            yield word
