"""The one way in which commands print: words and tables, literal, and never cut.

What others typed (names of files, sheets, schools) is printed as it stands: nothing in it is taken for
markup, or for a command to the terminal. A table that is too wide for the screen breaks the columns that may
be broken; where that is not enough, each row becomes a block of lines, a column a line. Files and pipes have
no width: there a row is a line, whatever its length. COLUMNS sets a width for those, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP = "  "
# Cells of a line where a line may have any length.
_ENDLESS = 1_000_000
# A column that may be broken is not made narrower than this.
_NARROWEST = 16
_NUMBER = re.compile(r"[-+−]?[\d,]*\.?\d+( ?%)?")
# Where a line may be broken: at blanks, and before a character of East Asian scripts; marks stay behind it.
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uffe6"
_MARKS = "，。；：、？！）】》」』”’％"
# A command stays whole, so that it can be pasted: what stands between backticks, or from `./edulake` on.
_COMMAND = rf"`[^`\n]*`[^\s`{_WIDE}]*|\./edulake [^`\n]*"
_PIECES = re.compile(rf"\s+|{_COMMAND}|[{_WIDE}][{_MARKS}]*|[^\s`{_WIDE}]+|`")
# What a terminal obeys instead of showing it, what turns the text around it, and bytes that are no text.
_COMMANDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Screen(Console):
    """A console that prints text as it stands. Words in a style are given as `(words, style)`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **given})
        self._is_set = "width" in given

    @property
    def room(self) -> int | None:
        """Cells of a line; None where a line may have any length."""
        if not self._is_set and os.environ.get("COLUMNS", "").isdigit():
            return int(os.environ["COLUMNS"])
        return self.width if self._is_set or self.is_terminal else None

    def say(self, *words: str | tuple[str, str]) -> None:
        """Print words. Lines are broken between words; a word that is wider than the screen stays whole."""
        parts = [(part, "") if isinstance(part, str) else part for part in words]
        told = Text.assemble(*((shown(text), style) for text, style in parts))
        for line in told.split("\n", allow_blank=True):
            offsets = [] if self.room is None else breaks(line.plain, self.room, is_cut=False)
            for part in line.divide(offsets):
                part.rstrip()
                self.print(part, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        title: str = "",
        breakable: Iterable[str] = (),
        spare: Sequence[str] = (),
        vertical: bool = False,
    ) -> None:
        """Print rows; null is blank. Only the columns in `breakable` may go over several lines.

        Columns in `spare` are left out, and named, where the table has no room for them. `vertical`: a block
        for each row, though a line had room.
        """
        cells = [["" if value is None else shown(str(value)) for value in row] for row in rows]
        if title:
            self.say((title, "bold"))
        names, room = frozenset(breakable), self.room
        lines = None if vertical and cells else _beside(columns, cells, room, names)
        if lines is None and spare and not vertical:
            kept = [at for at, name in enumerate(columns) if name not in spare]
            of_kept = [[row[at] for at in kept] for row in cells]
            lines = _beside([columns[at] for at in kept], of_kept, room, names)
            lines = lines and [*lines, *_broken(f"no room for: {', '.join(spare)}", room or 0)]
        lines = lines or _blocks(columns, cells, room or _ENDLESS, names)
        self.print(Text("\n".join(lines)), soft_wrap=True)


console = Screen()
# Progress and remarks: they stay out of a pipe that reads the answer.
remarks = Screen(stderr=True)


def shown(text: str) -> str:
    """The text with every command to the terminal spelled out: an escape character as `\\x1b`."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text)


def _beside(
    columns: Sequence[str], rows: Sequence[Sequence[str]], room: int | None, breakable: frozenset[str]
) -> list[str] | None:
    """The lines of a table with its columns side by side: heading, rule, rows. None where the room is too
    small, though headings are broken, and cells of `breakable` columns between words.
    """
    bodies = [_widest(row[at] for row in rows) for at in range(len(columns))]
    heads = [name.split("\n") for name in columns]
    widths = [max(body, _widest(head)) for body, head in zip(bodies, heads, strict=True)]
    if room is not None and _total(widths) > room:
        heads = [_heading(name, body) for name, body in zip(columns, bodies, strict=True)]
        widths = [max(body, _widest(head)) for body, head in zip(bodies, heads, strict=True)]
        least = {
            at: max(_NARROWEST, _widest(heads[at]), *(_widest(_PIECES.findall(row[at])) for row in rows))
            for at, name in enumerate(columns)
            if name in breakable
        }
        if not _narrow(widths, least, room):
            return None
    is_number = [_is_number(row[at] for row in rows) for at in range(len(columns))]
    lines = [_line(part, widths, is_number) for part in zip_longest(*heads, fillvalue="")]
    lines.append(_GAP.join("-" * width for width in widths))
    for row in rows:
        broken = [_broken(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines += [_line(part, widths, is_number) for part in zip_longest(*broken, fillvalue="")]
    return lines if rows else [*lines, "(no rows)"]


def breaks(line: str, width: int, *, is_cut: bool) -> list[int]:
    """Where to break a line into parts of at most `width` cells: between words, or between characters of East
    Asian scripts. A word that is wider is cut if `is_cut`, else whole on a line of its own.
    """
    offsets: list[int] = []
    used = 0
    for piece in _PIECES.finditer(line):
        size = 0 if piece[0].isspace() else cell_len(piece[0])
        # Behind an indent alone a word that is too wide stays where it is.
        is_first = not line[offsets[-1] if offsets else 0 : piece.start()].strip()
        if used + size > width and not is_first:
            offsets.append(piece.start())
            used = 0
        if is_cut and size > width:
            for at, sign in enumerate(piece[0], start=piece.start()):
                if used + cell_len(sign) > width:
                    offsets.append(at)
                    used = 0
                used += cell_len(sign)
        else:
            used += size or cell_len(piece[0])
    return offsets


def _broken(text: str, width: int) -> list[str]:
    parts = []
    for line in text.split("\n"):
        edges = [0, *breaks(line, width, is_cut=True), len(line)]
        parts += [line[begin:end].rstrip() for begin, end in pairwise(edges)]
    return parts


def _blocks(
    columns: Sequence[str], rows: Sequence[Sequence[str]], room: int, breakable: frozenset[str]
) -> list[str]:
    """The lines of a table with a block for each row: name and cell of each column. A cell that has no room
    beside its name stands below it; one that is wider than the room is broken.
    """
    names = [name.replace("\n", " ") for name in columns]
    label = _widest(names)
    width = room - label - len(_GAP)
    lines = []
    for number, row in enumerate(rows, start=1):
        lines.append(f"-- {number} ".ljust(min(room, 40), "-"))
        for column, name, cell in zip(columns, names, row, strict=True):
            if _widest(_PIECES.findall(cell) if column in breakable else [cell]) > width:
                lines += [name, *_broken(cell, room)]
                continue
            first, *others = _broken(cell, width)
            lines.append(f"{_padded(name, label)}{_GAP}{first}".rstrip())
            lines += [f"{' ' * (label + len(_GAP))}{part}" for part in others]
    return lines


def _narrow(widths: list[int], least: Mapping[int, int], room: int) -> bool:
    """Share the room out among the columns that have a least width. Returns False if it is not enough."""
    left = room - _total([0 if at in least else width for at, width in enumerate(widths)])
    for number, (width, at) in enumerate(sorted((widths[at], at) for at in least)):
        widths[at] = min(width, max(left // (len(least) - number), least[at]))
        left -= widths[at]
    return left >= 0


def _heading(name: str, width: int) -> list[str]:
    """A heading in as few lines as its column's width allows, broken after an underscore or a blank."""
    lines = [""]
    for part in re.findall(r"[^_ \n]+[_ \n]?", name):
        if lines[-1].endswith("\n") or (lines[-1] and cell_len(lines[-1] + part.rstrip()) > width):
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]


def _is_number(cells: Iterable[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(map(_NUMBER.fullmatch, filled))


def _line(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    padded = (_padded(*each) for each in zip(cells, widths, is_number, strict=True))
    return _GAP.join(padded).rstrip()


def _padded(text: str, width: int, is_right: bool = False) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if is_right else text + blank


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)
