"""The code lists: what senders may write, and the code that the lake keeps.

They lie in `expectations/codes`; districts and senders are a site's own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jobs.declare.headings import fold
from jobs.declare.model import Column, ContractError
from jobs.settings import EXPECTATIONS, own_code_list

# The lists that name senders; schools are told by the registers.
_SENDERS = ("district", "sender")


@dataclass(frozen=True)
class CodeList:
    """One list: what senders may write, and the code that the lake keeps."""

    name: str
    rows: tuple[Mapping[str, str], ...]

    def spellings(self, column: str | None = None) -> dict[str, str]:
        """Every accepted spelling -> code. With `column`, that standard's codes count instead of ours."""
        table: dict[str, str] = {}
        for row in self.rows:
            if column is None:
                spellings = [row["code"], row["code"].lstrip("0")]
            else:
                spellings = [row[column], row[column].lstrip("0")]
            # A sheet that takes codes for numbers writes 3.0.
            spellings += [f"{word}.0" for word in spellings if word.isdecimal()]
            spellings += [row["meaning_zh"], *row.get("also", "").split("|")]
            for spelling in filter(None, spellings):
                if table.setdefault(fold(spelling), row["code"]) != row["code"]:
                    raise ContractError(f"codes/{self.name}.csv: {spelling!r} stands for two codes")
        return table


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
