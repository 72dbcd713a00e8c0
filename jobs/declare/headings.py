"""Headings as senders write them: how they are compared, and which column of a contract each one names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from jobs.declare import units
from jobs.declare.model import Contract

# Headings of the column that says what a line does, the words that withdraw its key, and those that state it.
OPERATION_HEADINGS = ("操作", "操作类型", "记录状态", "数据状态", "record_status", "operation")
WITHDRAWING = ("撤销", "撤回", "删除", "作废", "D", "delete", "withdraw", "withdrawn")
STATING = ("新增", "更正", "修改", "变更", "正常", "有效", "A", "U", "add", "update")

# The heading under which the marked copy says of each line what became of it (`jobs.replies.marked_copy`).
MARK = "处理标注"


def match(contract: Contract, cells: Iterable[str]) -> dict[str, int] | None:
    """Column -> position in this header row, or None where a required column has no heading here.

    Headings are compared without brackets, units, blanks and character width; `姓名@2` is the second column
    with the heading 姓名. Where one heading fits two columns, it goes to the column that lists it earlier. A
    heading of `absent` shows that the file is of another dataset.
    """
    cells = list(cells)
    positions = {key: index for index, key in enumerate(_nth_keys(cells))}
    if any(heading_key(heading) in positions for heading in contract.absent):
        return None
    found: dict[str, int] = {}
    taken: set[int] = set()
    for rank in range(max(len(c.headings) for c in contract.columns)):
        for column in contract.columns:
            if column.name in found or rank >= len(column.headings):
                continue
            at = positions.get(heading_key(column.headings[rank]))
            if at is not None and at not in taken:
                found[column.name] = at
                taken.add(at)
    needed = {c.name for c in contract.columns if c.required}
    if contract.delivery != "snapshot" and operation_at(cells) >= 0:
        # A withdrawal list holds keys only.
        needed &= contract.key_columns()
    return found if needed <= found.keys() else None


def operation_at(cells: Iterable[str]) -> int:
    """The position of the column that says what a line does (`撤销` withdraws its key), or -1."""
    known = {heading_key(heading) for heading in OPERATION_HEADINGS}
    return next((index for index, cell in enumerate(cells) if heading_key(cell) in known), -1)


def missing(contract: Contract, cells: Iterable[str]) -> list[str]:
    """Our names of the required columns that this header row lacks."""
    keys = {heading_key(cell) for cell in cells}
    return [
        c.name for c in contract.columns if c.required and not keys & {heading_key(h) for h in c.headings}
    ]


def absentees(contract: Contract, positions: Mapping[str, int]) -> list[str]:
    """Our names of the columns that a header row lacks."""
    return [c.name for c in contract.columns if c.name not in positions]


def strangers(contract: Contract, header: Sequence[str], positions: Mapping[str, int]) -> list[str]:
    """The headings, as sent, that the contract does not know: no column's, and not `left_in_raw`."""
    known = {heading_key(h) for h in (*contract.left_in_raw, *OPERATION_HEADINGS, MARK)}
    taken = set(positions.values())
    keys = _nth_keys(header)
    return [
        cell.strip()
        for index, (cell, key) in enumerate(zip(header, keys, strict=True))
        if cell.strip() and index not in taken and key not in known
    ]


def factors(contract: Contract, header: Sequence[str], positions: Mapping[str, int]) -> dict[str, float]:
    """Column -> the factor that converts its numbers, for each column whose heading names a unit; -1 for a
    unit of another kind (a height in kilograms).
    """
    found = {}
    for column in contract.columns:
        written = units.heading_unit(header[positions[column.name]]) if column.name in positions else None
        if written and column.unit and units.siblings(column.unit):
            size = units.factor(written, column.unit)
            found[column.name] = -1.0 if size is None else size
    return found


def _nth_keys(cells: Iterable[str]) -> Iterator[str]:
    """Each heading as it is compared; the second of one name with `@2` behind it."""
    seen: dict[str, int] = {}
    for cell in cells:
        key = heading_key(cell)
        seen[key] = seen.get(key, 0) + 1
        yield key if seen[key] == 1 else f"{key}@{seen[key]}"


def fold(text: str) -> str:
    """A value as rules compare it: full-width characters made narrow, blanks and an apostrophe trimmed."""
    return unicodedata.normalize("NFKC", text).strip().lstrip("'").strip()


# No heading is longer; a cell of a megabyte of brackets is not searched.
_LONGEST = 300
_BRACKETS = re.compile(r"[(\[【（〔<《].*?[)\]】）〕>》]")


def heading_key(text: str) -> str:
    """A heading as it is compared: `身高（cm)` and `身高` are one."""
    return _key(str(text)[:_LONGEST])


# A sheet without a known header has each of its first lines held against each contract.
@lru_cache(maxsize=8192)
def _key(text: str) -> str:
    # Format characters (Cf) and controls (Cc) are nothing that a sender sees.
    seen = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cf", "Cc") or sign.isspace())
    narrow = unicodedata.normalize("NFKC", seen).lower()
    narrow = units.without_unit(_BRACKETS.sub("", narrow) or narrow)
    return re.sub(r"[\s*×x_/\\:;,.、。\-#=\"']+", "", narrow)
