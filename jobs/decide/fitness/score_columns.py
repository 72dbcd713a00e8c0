"""Columns and codes of a file to score, as the standard, our tables and our templates write them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jobs import declare
from jobs.decide.fitness import score as core
from jobs.declare.codes import loosely

_DATASET = "test_result"
# Our inputs -> the contract's columns that say the same, those with the standard's own codes first.
_SAME = {"grade_code": ("fitness_grade_code", "grade_key"), "sex_code": ("sex_code",)}
_GRADE_HEADINGS = ("年级", "grade")
GRADES = "11–16, 21–23, 31–33 of the upload, P1–S3 of our tables, or a name such as 七年级"
SEXES = "1 or 2, 男 or 女"


def places(header: Sequence[str]) -> dict[str, int]:
    """Input of the scores -> its place in a header: by our name, or by a heading of the feed's template."""
    keys: dict[str, int] = {}
    for at, name in enumerate(header):
        keys.setdefault(declare.heading_key(name), at)
    found = {name: header.index(name) for name in core.INPUT_COLUMNS if name in header}
    if len(found.keys() & _SAME.keys()) == len(_SAME) and found.keys() & set(core.MEASURE_COLUMNS):
        return found
    of_contract = {c.name: (c.name, *c.headings) for c in declare.load()[_DATASET].columns}
    of_contract["grade_key"] = ("grade_key", *_GRADE_HEADINGS)
    for name in core.INPUT_COLUMNS:
        for column in _SAME.get(name, (name,)):
            for heading in of_contract.get(column, ()):
                written = keys.get(declare.heading_key(heading))
                if name not in found and written is not None and written not in found.values():
                    found[name] = written
    return found


def as_scored(name: str, cells: Sequence[str]) -> Sequence[str]:
    """The cells of an input with the standard's codes for grade and sex, whatever names them."""
    if name not in _SAME:
        return cells
    codes = _codes(name)
    known = {cell: codes.get(loosely(declare.fold(cell)), cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


@cache
def _codes(name: str) -> dict[str, str]:
    """Words -> the standard's code. Bare numbers are not looked up: 11 is a code of two schemes."""
    if name == "sex_code":
        found = declare.code_list("sex").loose_spellings()
    else:
        found = declare.code_list("grade").loose_spellings(kept="fitness_code")
    return {word: code for word, code in found.items() if not word.replace(".", "").isdecimal()}
