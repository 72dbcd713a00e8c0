"""What a report is about, and sections that say so where a release has not their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jobs.reports.book import NONE, Book
from jobs.reports.model import Block, Paragraph, Piece, Section

STAGES = {"kindergarten": "幼儿园", "primary": "小学", "junior": "初中", "senior": "高中"}
STAGE_ORDER = (
    "case stage_code when 'kindergarten' then 1 when 'primary' then 2 when 'junior' then 3 else 4 end"
)
_GRADES = {"K1": "小班", "K2": "中班", "K3": "大班"}
_DIGITS = "一二三四五六七八九"


@dataclass(frozen=True)
class Scope:
    """A unit and a year: calendar year `year`, and the school year that begins in it."""

    kind: str
    code: str
    name: str
    year: int
    district_code: str


Sentence = tuple[Piece, ...]
Make = Callable[[Book, Scope], list[Block]]


@dataclass(frozen=True)
class Part:
    """One section: its key and title, the tables without which it cannot be, and what makes its blocks."""

    key: str
    title: str
    tables: tuple[str, ...]
    make: Make

    def section(self, book: Book, scope: Scope) -> Section:
        """The section, or one that names the missing tables."""
        missing = [name for name in self.tables if not book.source.has(name)]
        if missing:
            told = f"本发布版没有 {'、'.join(missing)}，本节从缺。This release has no such table."
            return Section(self.key, self.title, (notice(told),))
        return Section(self.key, self.title, tuple(self.make(book, scope)))


def word(words: Mapping[str, str], code: str | None) -> str:
    """The word of a code; a code without one stands for itself, and none is a dash."""
    return NONE if code is None else words.get(code, code)


def notice(text: str) -> Paragraph:
    """A paragraph that says why something is not there."""
    return Paragraph((text,), is_notice=True)


def joined(pieces: Iterable[Piece]) -> Paragraph:
    """A paragraph of pieces."""
    return Paragraph(tuple(pieces))


def grade(key: str) -> str:
    """Name of a grade key: 三年级, 初一."""
    kind, number = key[:1], key[1:]
    if number not in tuple("123456789"):
        return key
    digit = _DIGITS[int(number) - 1]
    return _GRADES.get(key) or {"P": f"{digit}年级", "J": f"初{digit}", "S": f"高{digit}"}.get(kind, key)


GRADE_ORDER = "strpos('KPJS', grade_key[1]), grade_key"
