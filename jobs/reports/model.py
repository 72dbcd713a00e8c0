"""A report as one model: three writers print it, and none of them computes or rounds anything.

A figure is text already, with the number of its definition and its footnotes. What a writer prints in another
order or another form than its siblings is a fault, which `tests/jobs/reports` finds.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Definition:
    """What a figure means: number in the report, name, unit, meaning, source, as of which day."""

    number: int
    label: str
    unit: str
    meaning: str
    source: str
    as_of: str


@dataclass(frozen=True)
class Figure:
    """One figure as printed, its value in the release, its definition's number, its footnotes' marks.

    `value` is None where the release has none; the text is then a dash, or says why.
    """

    text: str
    value: Decimal | None
    definition: int
    notes: tuple[str, ...] = ()


Piece = str | Figure


@dataclass(frozen=True)
class Paragraph:
    """Words with figures in them. A notice says why a part is missing."""

    pieces: tuple[Piece, ...]
    is_notice: bool = False


@dataclass(frozen=True)
class Points:
    """Sentences that stand under each other."""

    sentences: tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True)
class Facts:
    """Names with what they say, such as the address line of a school."""

    pairs: tuple[tuple[str, Piece], ...]


@dataclass(frozen=True)
class Column:
    """A column's heading, its unit included, and the number of its definition, if its cells are figures."""

    label: str
    definition: int | None = None
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headings. The first cell of a row is its heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Piece, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.caption

    def widths(self) -> list[float]:
        """How wide each column wants to be, in Chinese characters: its cells on one line, its heading on two,
        on three where the columns are many.
        """
        wanted = self._wanted(2)
        if sum(wanted) > _MANY:
            wanted = self._wanted(3)
        most = max(sum(wanted) / 3, 14.0)
        return [min(width, most) for width in wanted]

    def _wanted(self, lines: int) -> list[float]:
        wanted = []
        for at, column in enumerate(self.columns):
            cells = max((_width(row[at]) for row in self.rows), default=0.0)
            heading = _width(column.label) + (1.2 if column.definition else 0.0)
            least = heading / lines + 0.5 if heading > 4 else heading
            wanted.append(max(cells, least, 2.0) + _EDGES)
        return wanted


@dataclass(frozen=True)
class Chart:
    """A picture as SVG, with what it shows in words for who cannot see it."""

    title: str
    alt: str
    svg: str
    width: int
    height: int


# Room that a cell's edges take, in Chinese characters.
_EDGES = 1.4
# Wider than this, a table would break its cells in one of two columns.
_MANY = 30.0


def _width(piece: Piece) -> float:
    text = piece if isinstance(piece, str) else piece.text + note_mark(piece.notes)
    return sum(1.0 if ord(one) > 0x2000 else 0.58 for one in text)


Block = Paragraph | Points | Facts | Table | Chart


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """All that is printed. `slug` names its files; `columns`: of a profile on one page, else 0."""

    slug: str
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    banner: str
    sections: tuple[Section, ...]
    definitions: tuple[Definition, ...]
    notes: tuple[tuple[str, str], ...]
    columns: int = 0

    def figures(self) -> list[Figure]:
        """All figures in the order of the report."""
        return [
            piece
            for section in self.sections
            for block in section.blocks
            for piece in pieces(block)
            if isinstance(piece, Figure)
        ]


def pieces(block: Block) -> list[Piece]:
    """The texts and figures of a block in its order; a chart has none, as its figures stand in a table."""
    match block:
        case Paragraph():
            return list(block.pieces)
        case Points():
            return [piece for sentence in block.sentences for piece in sentence]
        case Facts():
            return [piece for pair in block.pairs for piece in pair]
        case Table():
            return [piece for row in block.rows for piece in row]
        case Chart():
            return []


# The headings of the parts that close each report.
DEFINITIONS_TITLE = "口径与来源 Definitions and sources"
NOTES_TITLE = "注释 Notes"
DEFINITION_COLUMNS = ("序号", "指标", "单位", "口径", "来源", "数据截至")


def definition_mark(number: int) -> str:
    """How a figure points to its definition."""
    return f"[{number}]"


def note_mark(marks: tuple[str, ...]) -> str:
    """How a figure points to its footnotes; blank without any."""
    return f"({','.join(marks)})" if marks else ""


_UNPRINTED = {"Cc", "Cs", "Cn", "Co"}
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def clean(text: object) -> str:
    """A text of the data as one line: no control characters, and none that turn the direction of writing."""
    words = " ".join(str(text).split())
    return "".join(
        one for one in words if unicodedata.category(one) not in _UNPRINTED and one not in _TURNING
    )
