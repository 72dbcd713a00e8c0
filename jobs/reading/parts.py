"""A file of several datasets -> one file for each, so that each is a delivery with a receipt of its own.

A part is the sender's file as it came, with one line behind it that says for which dataset it is read
(`containers.part`). Sheets, line numbers and formats are therefore those that the sender sees, and the
original lies in each part whole. A file of one dataset is its only part, untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.declare import Contract
from jobs.reading import containers, isolated


@dataclass(frozen=True)
class Part:
    """A file to hand in: its name, the dataset and feed that its headers tell, if any, and its content.

    `content` is the file itself where it is not one of several.
    """

    name: str
    dataset: str | None
    feed: str | None
    content: bytes | Path


def parts(file: Path, contracts: Sequence[Contract], name: str | None = None) -> list[Part]:
    """Return the files to hand in for one, in the order of its sheets; itself where it has no two datasets.

    Of a text nobody asks which dataset it has: it has one table. `contracts`: of the feeds that it may be
    for, those first that count where headings fit two. `name`: the sender's, where the file lies under
    another one.
    """
    if not containers.may_hold_several(file):
        return [Part(name or file.name, None, None, file)]
    known = {contract.dataset: contract for contract in contracts}
    name = name or file.name
    found = [known[dataset] for dataset in dict.fromkeys(isolated.headers(file, contracts).datasets)]
    if not found:
        return [Part(name, None, None, file)]
    if len(found) == 1:
        return [Part(name, found[0].dataset, found[0].feed, file)]
    data = file.read_bytes()
    return [
        Part(_named(name, data, one), one.dataset, one.feed, containers.part(data, name, one.dataset))
        for one in found
    ]


def _named(name: str, data: bytes, contract: Contract) -> str:
    """`名册.xlsx` as `名册（学籍异动）.xlsx`; a file that is no archive itself lies in one."""
    path = Path(name)
    return f"{path.stem}（{contract.zh}）{path.suffix if containers.is_package(data) else '.zip'}"
