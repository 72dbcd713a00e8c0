"""A request form as departments send it -> the items that it asks for.

Items stand across (a header of one line or more, groups above), down a column (below 指标名称, or a list), or
as labels with an empty cell behind each. Titles, notes, signatures and numbers are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jobs.decide.evaluation.collected import words
from jobs.declare import heading_key, reasons
from jobs.reading import containers
from jobs.reading.sheet import UnreadableError
from jobs.settings import UserError

# No form asks for more; what follows is data that somebody filled in.
MOST_LINES = 3000
_LONGEST_ITEM = 40
_MOST_HEADER_LINES = 4
_NUMERIC = re.compile(r"[\d\s,.，．%％:：/\-—–年月日]*")
_SENTENCE = re.compile(r"[。；;！!]|，.*，|：.{12,}")


@dataclass(frozen=True)
class Item:
    """What a form asks for: its words, those of the groups above it, and where it stands."""

    text: str
    groups: tuple[str, ...]
    sheet: str | None
    line: int


Line = tuple[int, list[str]]


def items(path: Path) -> list[Item]:
    """The items of a form, in its order, each once. Raises UserError for a file that has none."""
    found: dict[tuple[tuple[str, ...], str], Item] = {}
    try:
        for sheet in containers.sheets(path.read_bytes(), []):
            lines = [
                (number, [(cell or "").strip() for cell in cells])
                for block in sheet.blocks
                for number, cells in zip(*(c.to_pylist() for c in block.columns), strict=True)
            ][:MOST_LINES]
            for item in _of_sheet(lines, sheet.name):
                key = (tuple(map(heading_key, item.groups)), words.narrow(item.text))
                found.setdefault(key, item)
    except UnreadableError as error:
        raise UserError(
            f"{path.name}: {reasons.sentence(error.reason, 'zh')}", "Give a workbook or a CSV file."
        ) from error
    if not found:
        raise UserError(
            f"{path.name} asks for nothing that can be told.", "Is it a form with headings or items?"
        )
    return list(found.values())


def _of_sheet(lines: Sequence[Line], sheet: str | None) -> Iterator[Item]:
    body = _without_frame(lines)
    if not body:
        return
    start = _item_header(body)
    if start is not None:
        yield from _down(body, *start, sheet)
    elif (depth := _header_depth(body)) and not _is_list(body):
        yield from _across(body[:depth], sheet)
    else:
        yield from _labels(body, sheet)


def _without_frame(lines: Sequence[Line]) -> list[Line]:
    """The lines without titles above, and without notes and signatures anywhere."""
    kept: list[Line] = []
    for number, cells in lines:
        filled = [cell for cell in cells if cell]
        if not filled or _is_frame(filled):
            continue
        kept.append((number, cells))
    widest = max((sum(map(bool, cells)) for _, cells in kept), default=0)
    while widest > 1 and kept and sum(map(bool, kept[0][1])) == 1 and not _numbered(kept[0][1]):
        kept.pop(0)  # a title, or a line that says who fills the form in
    if widest == 1 and len(kept) > 1 and _is_title(next(filter(None, kept[0][1]))):
        kept.pop(0)
    return kept


def _numbered(cells: Sequence[str]) -> bool:
    text = next(filter(None, cells))
    return words.cleaned(text) != text.strip(" :：")


def _is_title(text: str) -> bool:
    return bool(re.search(r"(表|问卷|清单|通知|台账|汇总)([（(].*[)）])?$", text))


def _is_frame(filled: Sequence[str]) -> bool:
    """Whether a line is a note or is for signatures."""
    told = words.load()
    first = words.cleaned(filled[0])
    key = words.narrow(first)
    if any(key.startswith(sign) for sign in told.signs) and (
        len(filled) == 1 or any(mark in filled[0] for mark in ":：") or key in told.signs
    ):
        return True
    if re.match(r"^(备?注|说明|填[表报写]?说明|附注|提示|note)s?\s*[:：\d]", filled[0], re.IGNORECASE):
        return True
    return len(filled) == 1 and (len(first) > _LONGEST_ITEM or bool(_SENTENCE.search(first)))


def _is_word(cell: str) -> bool:
    return bool(cell) and not _NUMERIC.fullmatch(cell)


def _is_item(cell: str) -> bool:
    """Whether a cell may be an item: words, and none that belong to the form."""
    text = words.cleaned(cell)
    if not _is_word(text) or len(text) > _LONGEST_ITEM:
        return False
    key = words.narrow(text)
    told = words.load()
    is_numbered_stem = re.fullmatch(r"[甲乙丙丁戊己]", text)
    return key not in told.form_words and key not in told.item_headings and not is_numbered_stem


def _item_header(body: Sequence[Line]) -> tuple[int, list[int]] | None:
    """The line that heads a column of items, and the columns of items in it; None where there is none."""
    told = words.load()
    for at, (_, cells) in enumerate(body[:_MOST_HEADER_LINES]):
        keys = [words.narrow(words.cleaned(cell)) if cell else "" for cell in cells]
        columns = [place for place, key in enumerate(keys) if key in told.item_headings]
        others = [key for key in keys if key and key not in told.item_headings | told.form_words]
        below = [
            place
            for place in columns
            if any(place < len(c) and _is_word(c[place]) for _, c in body[at + 1 :])
        ]
        # What a form asks of each item stands beside it: years, units, remarks.
        if below and len(others) <= len(keys) // 2:
            return at, below
    return None


def _down(body: Sequence[Line], at: int, columns: list[int], sheet: str | None) -> Iterator[Item]:
    """Items below a heading; those left of the last column of items are groups, and go on below it."""
    groups = [""] * (len(columns) - 1)
    for number, cells in body[at + 1 :]:
        own = [cells[place] if place < len(cells) else "" for place in columns]
        for level, text in enumerate(own[:-1]):
            if text:
                groups[level:] = [text, *[""] * (len(groups) - level - 1)]
        leaf = own[-1] or next((text for text in reversed(own[:-1]) if text), "")
        if leaf and _is_item(leaf):
            above = tuple(words.cleaned(g) for g in groups if g and g != leaf)
            yield Item(words.cleaned(leaf), above, sheet, number)


def _header_depth(body: Sequence[Line]) -> int:
    """How many lines of the top are a header across; 0 where items do not stand across."""
    first = body[0][1]
    if sum(map(_is_item, first)) < 3:
        return 0
    depth = 1
    covered = [bool(cell) for cell in first]
    for _, cells in body[1:_MOST_HEADER_LINES]:
        filled = [place for place, cell in enumerate(cells) if cell]
        gaps = [place for place in filled if not (place < len(covered) and covered[place])]
        under = [place for place in filled if place not in gaps]
        # A lower line of a header fills gaps of merged cells, and stands below the first cell of each.
        is_lower = all(_is_word(cells[place]) for place in filled) and gaps and len(under) <= len(gaps)
        if not is_lower:
            break
        depth += 1
        covered = [bool(cells[p] if p < len(cells) else "") for p in range(max(len(covered), len(cells)))]
    return depth


def _across(header: Sequence[Line], sheet: str | None) -> Iterator[Item]:
    """The lowest cell of each column, with the groups above it."""
    width = max(len(cells) for _, cells in header)
    rows = [(number, [*cells, *[""] * (width - len(cells))]) for number, cells in header]
    for place in range(width):
        path: list[tuple[int, str]] = []
        for level, (number, cells) in enumerate(rows):
            own = cells[place]
            if own:
                path.append((number, own))
            elif level + 1 < len(rows) and any(row[place] for _, row in rows[level + 1 :]):
                left = _merged(cells, place)
                if left:
                    path.append((number, left))
        if path and _is_item(path[-1][1]):
            number, text = path[-1]
            yield Item(words.cleaned(text), tuple(words.cleaned(t) for _, t in path[:-1]), sheet, number)


def _merged(cells: Sequence[str], place: int) -> str:
    """The cell that a blank one is merged with: the nearest to its left."""
    return next((cells[at] for at in range(place - 1, -1, -1) if cells[at]), "")


def _is_list(body: Sequence[Line]) -> bool:
    """Whether labels stand in several lines with empty cells behind them, rather than one header."""
    wide = [cells for _, cells in body if sum(map(_is_item, cells)) >= 2]
    spaced = [cells for cells in wide if _is_spaced(cells)]
    return len(wide) >= 3 and len(spaced) * 2 >= len(wide)


def _is_spaced(cells: Sequence[str]) -> bool:
    """`学校名称 | | 学校标识码 | `: a gap behind each label."""
    places = [place for place, cell in enumerate(cells) if cell]
    return all(b - a > 1 for a, b in pairwise(places))


def _labels(body: Sequence[Line], sheet: str | None) -> Iterator[Item]:
    """Every cell with words that is no part of the form: a list down, or labels with gaps behind them."""
    for number, cells in body:
        filled = [cell for cell in cells if _is_item(cell)]
        # Of a list the words behind the item say how it is filled in.
        for cell in filled if _is_spaced(cells) else filled[:1]:
            yield Item(words.cleaned(cell), (), sheet, number)
