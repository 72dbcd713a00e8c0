"""Nobody is in it: every number, telephone and name in every file that a city writes."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jobs import declare
from jobs.reading import reader
from synthetic.city.words import FAMILY, PLACE_WORDS

from .test_write import City

# GB 11643, said here once more and in another way than the generator does.
WEIGHTS = [pow(2, 17 - i, 11) for i in range(17)]
# An identity number anywhere in a text, also behind the letter of a pupil number.
IDENTITY = re.compile(r"([A-Za-z]?)(?<!\d)(\d{17}[\dXx])(?!\d)")
MOBILE = re.compile(r"(?<![\d.])1[3-9]\d{9}(?!\d)")
LANDLINE = re.compile(r"(?<!\d)0\d{2,3}[- ]\d{7,8}(?!\d)|(?<!\d)[2-8]\d{7}(?=\D*(?:电话|座机))")
SCHOOL = re.compile(r"(?<!\d)(?:11|21|31|34|51)11\d{6}(?!\d)")
NAMES = ("pupil_name", "staff_name", "caller_name")


@cache
def cells_of(landing: Path) -> list[tuple[Path, int, list[str]]]:
    """Every line of every file: its cells as a receiver reads them, in narrow characters."""
    found = []
    for file in sorted(landing.glob("*/*/*/*")):
        reading = reader.read(file, declare.datasets_of(file.relative_to(landing).parts[0]))
        lines = [(reading.header_line or 1, reading.header), *reading.lines]
        found += [(file, n, [unicodedata.normalize("NFKC", c) for c in cells]) for n, cells in lines]
        for _, table in sheets_beside(file):
            found += [(file, 0, row) for row in table]
    assert len(found) > 30_000
    return found


def sheets_beside(file: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """The further sheets of a workbook, which the reader leaves alone."""
    import python_calamine

    if file.suffix in (".xlsx", ".xls") and file.read_bytes()[:2] in (b"PK", b"\xd0\xcf"):
        book = python_calamine.load_workbook(file)
        for name in book.sheet_names[1:]:
            yield name, [[str(cell) for cell in row] for row in book.get_sheet_by_name(name).to_python()]


def damaged(landing: Path) -> set[tuple[str, int]]:
    with (landing.parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        return {
            (row["file"], int(row["line"]))
            for row in csv.DictReader(lines)
            if row["kind"] == "roll_bad_check_digit"
        }


def test_every_identity_number_checks_and_was_never_issued(city: City) -> None:
    """Province codes run from 11 to 82, and 91: what begins with 99 is nobody's."""
    wrong_on_purpose = damaged(city[0])
    seen: Counter[str] = Counter()
    for file, line, cells in cells_of(city[0]):
        for cell in cells:
            for letter, number in IDENTITY.findall(cell):
                assert number.startswith("99"), (file, line)
                seen[letter] += 1
                place = (str(file.relative_to(city[0])), line)
                if letter == "L" or place in wrong_on_purpose:
                    continue
                remainder = (12 - sum(int(d) * w for d, w in zip(number, WEIGHTS, strict=False))) % 11
                assert number[17].upper() == "0123456789X"[remainder], (file, line)
    assert seen["G"] > 10_000
    assert seen["J"] > 0
    assert seen["L"] > 0
    assert seen[""] > 10_000
    assert set(seen) == {"G", "J", "L", ""}


def test_no_telephone_and_no_mailbox_can_be_anybodys(city: City) -> None:
    made = 0
    for file, line, cells in cells_of(city[0]):
        for cell in cells:
            assert not MOBILE.search(cell), (file, line)
            assert not LANDLINE.search(cell), (file, line)
            assert "@" not in cell, (file, line)
            made += bool(re.fullmatch(r"10\d{9}", cell))
    assert made > 100, "no telephone was looked at"


def test_school_codes_lie_above_those_given_out(city: City) -> None:
    codes = {code for _, _, cells in cells_of(city[0]) for cell in cells for code in SCHOOL.findall(cell)}
    assert len(codes) > 50
    assert all(code[4] == "9" for code in codes)


def test_every_name_and_address_is_made(city: City) -> None:
    looked_at: Counter[str] = Counter()
    for file in sorted(city[0].glob("*/*/*/*")):
        reading = reader.read(file, declare.datasets_of(file.relative_to(city[0]).parts[0]))
        assert reading.contract is not None, file
        # Also the members of a family, in columns that nobody reads.
        people = [
            n for n, heading in enumerate(reading.header) if heading in ("姓名", "来电人", "教职工姓名")
        ]
        people += [reading.positions[name] for name in NAMES if name in reading.positions]
        homes = [
            n for n, h in enumerate(reading.header) if h in ("家庭住址", "现住址", "通信地址", "家庭地址")
        ]
        for number, cells in reading.lines:
            for at in {*people} & {*range(len(cells))}:
                if cells[at]:
                    assert cells[at][0] in FAMILY, (file, number)
                    assert 2 <= len(cells[at]) <= 3, (file, number)
                    looked_at["name"] += 1
            for at in {*homes} & {*range(len(cells))}:
                if cells[at]:
                    assert any(f"{word}里" in cells[at] for word in PLACE_WORDS), (file, number)
                    looked_at["address"] += 1
    assert looked_at["name"] > 15_000
    assert looked_at["address"] > 5_000
