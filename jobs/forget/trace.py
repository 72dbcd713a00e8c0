"""Find a pupil: every number and document that names him or her, every line that does, every token.

It begins with one pupil number. Lines with it lead to documents and names; a document that is the pupil's
alone leads to lines without a number; tokens that are one person lead to earlier numbers; and so on until
nothing is new. What another pupil has too (a parent's passport) leads to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from jobs import declare
from jobs.forget import proof
from jobs.ingest import landed
from jobs.ingest.landed import Opened, Place
from jobs.judging.expressions import lit
from jobs.judging.identifiers import names_nobody
from jobs.lake import deliveries, identity, persons, tables
from jobs.lake.deliveries import LandedFile
from jobs.lake.forgotten import plain
from jobs.settings import Settings
from jobs.sql import literals, parquet

NUMBER, DOCUMENT, NAME = "pupil_national_id", "id_document_number", "pupil_name"


# What is shorter may be a height, a class or a name, and stands in the lines of many.
SHORTEST_NUMBER = 8

_A_NUMBER = re.compile(r"[GJL]\d{17}[\dX]")


@dataclass
class Trace:
    """All that leads to one pupil; `lines`: delivery, file name and hash of what was sent -> places."""

    numbers: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    lines: dict[tuple[str, str, str], set[Place]] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, ...]:
        """How much is known; it only grows."""
        return tuple(map(len, (self.numbers, self.documents, self.names, self.tokens, self.lines)))

    @property
    def identifiers(self) -> list[tuple[str, str]]:
        """(kind, identifier) of each number and each document that is the pupil's alone."""
        return [(NUMBER, n) for n in sorted(self.numbers)] + [(DOCUMENT, d) for d in sorted(self.documents)]


def find(settings: Settings, number: str) -> Trace:
    """Follow a pupil number through all that was landed and all tables."""
    found, opened = Trace(numbers={plain(number)}), dict[LandedFile, Opened]()
    files = deliveries.scan(settings)
    looked_for: set[str] = set()
    while True:
        before = found.size
        _add_tokens(settings, found)
        linked = _places_of(settings, found)
        told = {(delivery, sha) for delivery, sha, _ in linked}
        rows = [row for file, one in opened.items() for row in rows_of(file, one)]
        sought = found.numbers | found.documents | _documents(found, rows, linked)
        fresh = {value for word in sought - looked_for for value in (word, word.lower())}
        opened |= opened_files(
            settings,
            [
                file
                for file in files
                if file not in opened
                and ((file.delivery_id, file.sha256) in told or (fresh and proof.holds(file.path, fresh)))
            ],
        )
        looked_for |= sought
        _add_lines(found, [row for file, one in opened.items() for row in rows_of(file, one)], linked)
        if before == found.size and sought == looked_for and not fresh:
            own = {word for _, word in found.identifiers}
            for file, one in opened.items():
                # Typed beside the lines, or in what nobody reads: the file is written again without it.
                if not one.found.tables or proof.holds(file.path, own):
                    found.lines.setdefault((file.delivery_id, file.name, file.sha256), set())
            return found


def opened_files(settings: Settings, files: list[LandedFile]) -> dict[LandedFile, Opened]:
    """Read landed files, those of a feed together."""
    found: dict[LandedFile, Opened] = {}
    for feed in sorted({file.feed for file in files}):
        of_feed = [file for file in files if file.feed == feed]
        found |= zip(of_feed, landed.open_files(settings, of_feed), strict=True)
    return found


@dataclass
class Row:
    """One line of a landed file: what it tells of identity, and all of its cells as they are compared."""

    file: LandedFile
    place: Place
    told: dict[str, str]
    cells: set[str]


def rows_of(file: LandedFile, opened: Opened) -> Iterable[Row]:
    """Every line of a file."""
    for number, table in enumerate(opened.found.tables):
        contract = declare.load()[opened.found.dataset] if opened.found.dataset else None
        at = {c.name: p for c, p in zip(contract.columns, table.positions, strict=True)} if contract else {}
        for line, cells in opened.lines.get(number, {}).items():
            told = {
                name: plain(cells[at[name]]) if name != NAME else (cells[at[name]] or "").strip()
                for name in (NUMBER, DOCUMENT, NAME)
                if 0 <= at.get(name, -1) < len(cells)
            }
            yield Row(file, (number, line), told, {plain(cell) for cell in cells if cell})


def _is_of(row: Row, found: Trace, linked: set[tuple[str, str, Place]]) -> bool:
    """Whether a line is the pupil's: by its number, by its tokens, or, without a number, by a document.

    A line with another pupil's number is that pupil's, whatever else stands in it: the proof names its file.
    """
    own = row.told.get(NUMBER, "")
    if (row.file.delivery_id, row.file.sha256, row.place) in linked or own in found.numbers:
        return True
    if _A_NUMBER.fullmatch(own):
        return False
    return bool(row.cells & (found.numbers if own else found.numbers | found.documents))


def _documents(found: Trace, rows: list[Row], linked: set[tuple[str, str, Place]]) -> set[str]:
    """The documents on the pupil's lines, the pupil's own or not."""
    return {row.told.get(DOCUMENT, "") for row in rows if _is_of(row, found, linked)} - {""}


def _add_lines(found: Trace, rows: list[Row], linked: set[tuple[str, str, Place]]) -> None:
    """Add lines that name the pupil, and what they tell: numbers, names, documents that are nobody else's."""
    own = [row for row in rows if _is_of(row, found, linked)]
    for row in own:
        found.lines.setdefault((row.file.delivery_id, row.file.name, row.file.sha256), set()).add(row.place)
        number = row.told.get(NUMBER, "")
        if len(number) >= SHORTEST_NUMBER:
            found.numbers.add(number)
        found.names |= {row.told.get(NAME, "")} - {""}
    for document in _documents(found, rows, linked):
        others = [r for r in rows if r.told.get(DOCUMENT) == document and not _is_of(r, found, linked)]
        is_own = all(r.told.get(NAME) in found.names and not r.told.get(NUMBER) for r in others)
        if is_own and not _fills_the_cell(document):
            found.documents.add(document)
    # A lasting number is its letter and the resident number.
    found.documents |= {number[1:] for number in found.numbers if re.fullmatch(r"G\d{17}[\dX]", number)}


def _fills_the_cell(document: str) -> bool:
    return bool(duckdb.execute(f"select {names_nobody(lit(document))}").fetchall()[0][0])


def tokens_of(settings: Settings, identifiers: Iterable[tuple[str, str]]) -> set[str]:
    """The tokens of identifiers (kind, identifier), whenever they were minted."""
    own = identity.keys(settings)
    earlier = persons.known_elsewhere(settings, own)
    minted = dict(zip(*earlier.to_pydict().values(), strict=True)) if earlier is not None else {}
    return {
        minted.get(identity.lookup_hmac(kind, identifier, own.lookup), identity.token(kind, identifier, own))
        for kind, identifier in identifiers
    }


def _add_tokens(settings: Settings, found: Trace) -> None:
    """Add the tokens of identifiers, and those that are one person with them."""
    found.tokens |= tokens_of(settings, found.identifiers)
    keys = persons.persons(settings, datetime.max.replace(tzinfo=UTC))
    leaders = {keys.get(token, token) for token in found.tokens}
    found.tokens |= leaders | {token for token, leader in keys.items() if leader in leaders}


def _places_of(settings: Settings, found: Trace) -> set[tuple[str, str, Place]]:
    """Where the lines stand that the clean tables have under the pupil's tokens."""
    places: set[tuple[str, str, Place]] = set()
    for contract in declare.load().values():
        files = tables.files(tables.open_table(settings, contract.table))
        if not files or contract.person_key != "pupil_key":
            continue
        rows = duckdb.execute(
            "select _delivery_id, _file_sha256, _table, _line_number"
            f" from {parquet(*files)} where pupil_key in ({literals(*found.tokens)})"
        ).fetchall()
        places |= {(delivery, sha, (table, line)) for delivery, sha, table, line in rows}
    return places
