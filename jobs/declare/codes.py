"""The code lists: what senders may write, and the code that the lake keeps.

They lie in `expectations/codes`; districts and senders are a site's own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jobs.declare.headings import fold
from jobs.declare.model import Column, ContractError
from jobs.settings import EXPECTATIONS, own_code_list

# The lists that name senders; schools are told by the registers.
_SENDERS = ("district", "sender")
# What the lake keeps for a word that names the whole city, in a column that declares such words (`whole`).
WHOLE = "city"


@dataclass(frozen=True)
class CodeList:
    """One list: what senders may write, and the code that the lake keeps."""

    name: str
    rows: tuple[Mapping[str, str], ...]
    # What was asked before: a contract asks one list for many columns.
    _known: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict, compare=False, repr=False)
    _loose: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict, compare=False, repr=False)

    def spellings(self, column: str | None = None, kept: str = "code") -> dict[str, str]:
        """Every accepted spelling -> code. With `column`, that standard's codes count instead of ours.

        Words of `also` hold in every standard, of `jyt_also` beside the codes of `jyt_code` alone, and of
        `code_also` beside ours. `kept`: the column whose code is returned; a row without one is none.
        """
        column = column or "code"
        if (column, kept) not in self._known:
            self._known[column, kept] = self._spellings(column, kept)
        return dict(self._known[column, kept])

    def _spellings(self, column: str, kept: str) -> dict[str, str]:
        table: dict[str, str] = {}
        own = f"{column.removesuffix('_code')}_also"
        for row in self.rows:
            code = row[column]
            # A sheet that takes codes for numbers writes 3 for 03, and 3.0.
            numbers = [code.lstrip("0"), code.zfill(2)] if code.isdecimal() else []
            numbers += [f"{word}.0" for word in (code, *numbers) if word.isdecimal()]
            words = [row["meaning_zh"], *row.get("also", "").split("|"), *row.get(own, "").split("|")]
            for spelling in filter(None, [code, *numbers, *words] if row[kept] else ()):
                if table.setdefault(fold(spelling), row[kept]) != row[kept]:
                    raise ContractError(f"codes/{self.name}.csv: {spelling!r} stands for two codes")
        return table

    def codes(self, kept: str | None = None) -> list[str]:
        """The codes that the lake keeps: ours, or those of the column `kept`."""
        return [row[kept or "code"] for row in self.rows if row[kept or "code"]]

    def loose_spellings(self, column: str | None = None, kept: str = "code") -> dict[str, str]:
        """The same by `loosely`; what would stand for two codes is left out."""
        column = column or "code"
        if (column, kept) not in self._loose:
            table: dict[str, str] = {}
            for spelling, code in self.spellings(column, kept).items():
                if table.setdefault(loosely(spelling), code) != code:
                    table[loosely(spelling)] = ""
            self._loose[column, kept] = {word: code for word, code in table.items() if word and code}
        return dict(self._loose[column, kept])


# Blanks, dots and brackets beside a letter, strokes between letters, noughts beside a word (`Grade 07`,
# `07年级`). What stands between two digits is kept: `1-2` is not 12.
LOOSE = (
    (r"([^\d\s])[\s_.()\[\]]+", r"\1"),
    (r"[\s_.()\[\]]+([^\d\s])", r"\1"),
    (r"([^\d\s])-+([^\d\s])", r"\1\2"),
    (r"([^\d\s.-])0+(\d)", r"\1\2"),
    (r"^0+(\d+[^\d\s.-])", r"\1"),
)


_AFTER_BARE = dict.fromkeys("一二三四五六七八九", "年级") | dict.fromkeys("小中大", "班")


def loosely(text: str) -> str:
    """A word as it is looked up where it is not found as it stands: `Grade 07` is `grade7`."""
    for pattern, by in LOOSE:
        text = re.sub(pattern, by, text)
    return text.lower()


def same_grades(labels: Iterable[str]) -> dict[str, str]:
    """Each label -> the first of the labels that names the same grade: `01` and `1`, `K` and `KG`, `初一` and
    `七年级`. A label of no known grade is one with those that differ from it in blanks, case or noughts.
    """
    first: dict[str, str] = {}
    return {label: first.setdefault(meaning, label) for label, meaning in _grade_meanings(labels).items()}


def grades_of_no_list(labels: Iterable[str]) -> list[str]:
    """Labels that name no known grade, where others do."""
    meanings = _grade_meanings(labels)
    unknown = [label for label, meaning in meanings.items() if meaning.startswith("?")]
    return unknown if len(unknown) < len(meanings) else []


def _grade_meanings(labels: Iterable[str]) -> dict[str, str]:
    """Label -> the code of its grade; of no known grade `?` and the bare word."""
    plain = {label: re.sub(r"^0+(?=\d)|\.0+$", "", loosely(fold(label))) for label in labels}
    # In a column of grades `七` and `大` stand for the word.
    plain = {label: f"{word}{_AFTER_BARE.get(word, '')}" for label, word in plain.items()}
    grades = code_list("grade")
    known = grades.loose_spellings() | grades.loose_spellings("jyt_code")
    if not any(re.fullmatch(r"k\d", word) for word in plain.values()):
        # Where kindergarten has years, its bare word names none of them.
        known |= grades.loose_spellings("us_k12_code")
    return {label: known.get(word, f"?{word}") for label, word in plain.items()}


def code_list(name: str) -> CodeList:
    """The code list of that name; the site's own, where the site of this process brings one.

    Raises ContractError if there is none.
    """
    return _read(name, code_file(name))


def code_file(name: str) -> Path:
    """The file of a code list. Raises ContractError where there is none."""
    path = own_code_list(name) or EXPECTATIONS / "codes" / f"{name}.csv"
    if not path.is_file():
        raise ContractError(f"there is no code list {path.name}")
    return path


def listed(column: Column) -> list[Mapping[str, str]]:
    """The rows of the column's list that it takes."""
    return [row for row in code_list(column.codes or "").rows if row[column.codes_kept or "code"]]


def meanings(column: Column) -> dict[str, str]:
    """Each code that the lake keeps in the column -> its Chinese name."""
    return {row[column.codes_kept or "code"]: row["meaning_zh"] for row in listed(column)}


def spellings_of(column: Column) -> dict[str, str]:
    """What senders may write in the column -> the code that the lake keeps."""
    listed = code_list(column.codes or "").spellings(column.codes_column, column.codes_kept or "code")
    return listed | {fold(word): WHOLE for word in column.whole}


def is_open(column: Column) -> bool:
    """Whether values outside the column's list are kept as sent: the contract says so, or the site brings no
    such list.
    """
    return column.codes_open or (column.codes is not None and not code_list(column.codes).rows)


def sender_today(code: str) -> str:
    """A sender's code of today: districts change theirs, and deliveries of old years carry the old ones."""
    return _senders(*(code_file(name) for name in _SENDERS)).get(code, code)


def sender_name(code: str) -> str | None:
    """The Chinese name of a sender that is a district or one of the site's own list."""
    rows = (row for name in _SENDERS for row in code_list(name).rows)
    return next((row["meaning_zh"] for row in rows if row["code"] == code), None)


@cache
def _read(name: str, path: Path) -> CodeList:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return CodeList(name, tuple(csv.DictReader(lines)))


@cache
def _senders(*files: Path) -> dict[str, str]:
    spelled: dict[str, str] = {}
    for file in reversed(files):
        spelled |= _read(file.stem, file).spellings()
    return spelled
