"""The code lists of `expectations/codes`: what senders may write, and the code that the lake keeps."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from jobs.declare.headings import fold
from jobs.declare.model import ContractError
from jobs.settings import EXPECTATIONS


@dataclass(frozen=True)
class CodeList:
    """One list of `expectations/codes`: what senders may write, and the code that the lake keeps."""

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


@cache
def code_list(name: str) -> CodeList:
    """The code list of that name, from `expectations/codes`. Raises ContractError if there is none."""
    path = EXPECTATIONS / "codes" / f"{name}.csv"
    if not path.is_file():
        raise ContractError(f"there is no code list {path.name}")
    with path.open(encoding="utf-8", newline="") as lines:
        return CodeList(name, tuple(csv.DictReader(lines)))
