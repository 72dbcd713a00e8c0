"""Correct who a pupil is: a wrong number, name, birth date or sex, in every file of the site.

The same walk as forgetting, with a replacement. Landing gets the right values, whatever was made from those
files goes, and the next run reads them again: from then on the lake says what it would say had they been sent
right, at every date. Kept releases lose the rows under the wrong number; the next one has the right ones. The
same file sent again is corrected before it is read. An act that was killed is finished by the next call.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs import declare
from jobs.files import replacing
from jobs.forget import act, proof, trace
from jobs.forget import tables as rewriting
from jobs.forget.trace import DOCUMENT, NAME, NUMBER, Row, Trace
from jobs.ingest import landed, reopening, resent
from jobs.ingest.landed import Opened, Place
from jobs.judging.identifiers import CHECK, WEIGHTS
from jobs.lake import deliveries, forgotten, receipt_text, spare, tables
from jobs.lake.deliveries import LandedFile
from jobs.lake.forgotten import plain
from jobs.settings import Settings, UserError

BIRTH, SEX = "birth_date", "sex_code"


@dataclass(frozen=True)
class Correction:
    """The number as it stands in the files, the right values by column, and the names whose lines are meant:
    every line's if there is none.
    """

    number: str
    right: Mapping[str, str]
    named: tuple[str, ...] = ()


def asked(number: str, right: Mapping[str, str], named: Collection[str]) -> Correction:
    """What the bureau asks for. Raises UserError where nothing changes, or what is given cannot be right."""
    given = {column: value.strip() for column, value in right.items() if value.strip()}
    fresh = given.get(NUMBER)
    if not given or fresh == number.strip():
        raise UserError("nothing is to be corrected.", "Give --number, --name, --birth-date or --sex.")
    if BIRTH in given and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", given[BIRTH]):
        raise UserError(f"{given[BIRTH]} is no date.", "Write it YYYY-MM-DD.")
    if fresh:
        pattern = declare.load()["pupil_roll"].column(NUMBER).pattern or ""
        is_sound = not re.fullmatch(r"G\d{17}[\dX]", fresh) or CHECK[_remainder(fresh[1:18])] == fresh[-1]
        if not re.fullmatch(pattern, fresh) or not is_sound:
            raise UserError(f"{fresh} is no pupil number.", "Look for a slip of the hand.")
    return Correction(number, given, tuple(named))


def _remainder(digits: str) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % len(CHECK)


def affected(settings: Settings, asked: Correction) -> dict[LandedFile, list[Row]]:
    """The landed files with lines to correct, and these lines.

    Raises UserError where there is none, and where lines of several names stand under the number and nobody
    said which of them is meant.
    """
    number = plain(asked.number)
    words = {number, number.lower(), number[1:]}
    held = [file for file in deliveries.scan(settings) if proof.holds(file.path, words)]
    found: dict[LandedFile, list[Row]] = {}
    for file, opened in trace.opened_files(settings, held).items():
        for row in trace.rows_of(file, opened):
            if _is_meant(row, number, asked.named):
                found.setdefault(file, []).append(row)
    names = {row.told.get(NAME, "") for rows in found.values() for row in rows} - {""}
    if len(names) > 1 and not asked.named:
        raise UserError(
            f"lines of {len(names)} names stand under this number.",
            "Say whose lines are wrong with --named, once for each spelling.",
        )
    if not found and not _note(settings).is_file():
        raise UserError(f"no file of {settings.site} has this number.", "Check the number, and --named.")
    return found


def correct(settings: Settings, asked: Correction) -> list[Path]:
    """Do it, or finish it. Returns the files that still hold the wrong number, where it was one.

    A run afterwards takes the corrected files in.
    """
    with act.alone(settings):
        found = affected(settings, asked)
        note = _write_note(settings, {file.receipt_id for file in found})
        for file, opened in trace.opened_files(settings, [*found]).items():
            _write_again(settings, file, opened, found[file], asked)
        about = _about(settings, asked, note.receipts)
        spare.forget(settings)
        act.strike_typed(settings, about)
        _take_again(settings, note)
        held = [f for f in deliveries.scan(settings) if about.numbers and proof.holds(f.path, about.numbers)]
        # Another pupil has the number rightly: his or her rows have the same token.
        gone = about.tokens if not held else set()
        for table in act.targets(settings):
            rewriting.rewrite(settings, table, act.of_tokens(settings, table, gone))
        for table in ("ops__receipt", receipt_text.TABLE):
            rewriting.sweep(settings, table)
        if about.tokens:
            act.amend_releases(settings, about, "corrected")
        act.remove_derived(settings, about)
        _note(settings).unlink()
        left = proof.places(settings, about.numbers | gone)[0] if about.numbers else []
        spare.keep(settings)
    return left


def _is_meant(row: Row, number: str, named: Collection[str]) -> bool:
    own = row.told.get(NUMBER) or f"G{row.told.get(DOCUMENT, '')}"
    if number != own and number not in row.cells:
        return False
    name = plain(row.told.get(NAME))
    return not named or not name or name in {plain(one) for one in named}


def _about(settings: Settings, asked: Correction, receipts: Collection[str]) -> Trace:
    """What is wrong, as the walk of forgetting takes it: nothing but files where the number stays."""
    files = [file for file in deliveries.scan(settings) if file.receipt_id in receipts]
    about = Trace(lines={(file.delivery_id, file.name, file.sha256): set() for file in files})
    if NUMBER in asked.right:
        number = plain(asked.number)
        about.numbers = {number}
        about.documents = {number[1:]} if number.startswith("G") else set()
        about.tokens = trace.tokens_of(settings, about.identifiers)
    return about


def _write_again(
    settings: Settings, file: LandedFile, opened: Opened, rows: list[Row], asked: Correction
) -> None:
    """Set the right values in the lines of a file, and keep what was wrong for when it is sent again."""
    contract = declare.load()[opened.found.dataset] if opened.found.dataset else None
    number, fresh = plain(asked.number), asked.right.get(NUMBER)
    same = {number: fresh, number[1:]: fresh[1:]} if fresh else {}
    cells: dict[Place, dict[int, str]] = {}
    corrections: dict[tuple[str, str], str] = {}
    for place in (row.place for row in rows):
        positions = opened.found.tables[place[0]].positions
        columns = [column.name for column in contract.columns] if contract else []
        at = {p: name for name, p in zip(columns, positions, strict=True) if p >= 0}
        line = opened.lines[place[0]][place[1]]
        told = {name: plain(line[p]) for p, name in at.items() if p < len(line)}
        for position, cell in enumerate(line):
            right = asked.right.get(at.get(position, "")) or same.get(plain(cell))
            if right and right != cell:
                cells.setdefault(place, {})[position] = right
                corrections[at.get(position, ""), resent.wrong(told, plain(cell))] = right
    # Kept first: of an act that is killed here, the next run does the rest of the file.
    forgotten.add(settings, corrections=corrections)
    words = {number} if fresh else set()
    landed.write_again(settings, file, opened, landed.Change(cells=cells, words=words))
    landed.rename(settings, file, words)


def _take_again(settings: Settings, note: _Note) -> None:
    """Remove what was made from the files, and their receipts, so that the next run reads them as new."""
    rows = [row for row in tables.rows(settings, "ops__receipt") if row["receipt_id"] in note.receipts]
    for feed in sorted({row["feed"] for row in rows}):
        of_feed = [row for row in rows if row["feed"] == feed]
        reopening.reopen(settings, feed, of_feed, f"correction {note.act}")


# The note of the act: no value of a person


@dataclass(frozen=True)
class _Note:
    act: str
    receipts: frozenset[str]


def _note(settings: Settings) -> Path:
    return settings.secrets / "correcting.json"


def _write_note(settings: Settings, receipts: Collection[str]) -> _Note:
    """Note the files of the act, with those of one that was killed, under whose name it goes on."""
    file = _note(settings)
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    note = _Note(before.get("act", secrets.token_hex(8)), frozenset({*receipts, *before.get("receipts", [])}))
    with replacing(file) as fresh:
        fresh.write_text(json.dumps({"act": note.act, "receipts": sorted(note.receipts)}), encoding="utf-8")
    return note
