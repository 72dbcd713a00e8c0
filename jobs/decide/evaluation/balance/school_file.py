"""The file of schools that `./edulake evaluation` reads: one row a school and stage, numbers read exactly.

CSV in UTF-8, UTF-16 or GB 18030, also gzipped, with commas, semicolons or tabs, and English or Chinese
headings. All faults of a file are told at once, each with line, column and value.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

from jobs.decide.evaluation.balance import special
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import STAGES, Standard
from jobs.decide.evaluation.balance.values import SchoolStage
from jobs.settings import UserError
from jobs.site import nearest

KEYS = ("district", "school", "stage", "pupils")
MOST_TOLD = 40
# What is larger is no count, area or value of a school, in any unit.
_LARGEST = 10**15
# Our columns as offices head them. A value of equipment says its unit: forms have 万元, the law 元.
_HEADINGS = {
    "district": ("区", "所在区", "区县", "县区", "行政区", "区代码", "district_code"),
    "school": ("学校", "学校名称", "学校代码", "学校标识码", "school_code"),
    "stage": ("学段", "stage_code"),
    "pupils": ("学生数", "在校生数", "在校学生数", "pupil_count"),
    "qualified_teachers": ("高于规定学历教师数", "高于规定学历专任教师数"),
    "backbone_teachers": ("骨干教师数", "县级以上骨干教师数", "县级及以上骨干教师数"),
    "pe_arts_teachers": ("体育艺术教师数", "体育艺术专任教师数", "体育、艺术专任教师数"),
    "teaching_area_m2": ("教学及辅助用房面积", "教学及辅助用房面积(平方米)"),
    "sports_area_m2": ("体育运动场馆面积", "体育运动场馆面积(平方米)"),
    "equipment_value_yuan": ("教学仪器设备值(元)", "教学仪器设备值(万元)"),
    "multimedia_classrooms": ("网络多媒体教室数", "multimedia_classroom_count"),
    "computers": ("计算机台数", "computer_count"),
    "books": ("图书册数", "book_count"),
    "teachers": ("专任教师数",),
    "titled_teachers": ("中级及以上专业技术职务教师数", "中级及以上职称教师数"),
    "extra_sports_area_m2": ("可计入的校外及屋顶地下运动场地面积", "可计入运动场地面积"),
    "is_over_dense_center": ("是否位于人口过密中心城区", "是否位于人口过密城区"),
    "is_rural": ("是否乡村学校", "是否乡村"),
    "is_teaching_point": ("是否教学点", "教学点"),
    "shared_pe_arts_teachers": ("走教兼职共享体育艺术教师数",),
    "is_special_or_vocational": ("是否特殊教育或职业学校",),
    "is_public": ("是否公办",),
}
_TIMES = {"教学仪器设备值(万元)": 10_000}
STAGE_NAMES = {**{stage: stage for stage in STAGES}, "小学": "primary", "初中": "junior"}
_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "y", "是"), 1),
    **dict.fromkeys(("0", "false", "no", "n", "否"), 0),
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,2})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_WAY_OUT = "Correct the file and run the command again; `--help` says what each column holds."


@dataclass(frozen=True)
class SchoolFile:
    """The rows of a file, and remarks about it that are no faults."""

    schools: list[SchoolStage]
    notes: list[str]


def columns(standard: Standard) -> tuple[str, ...]:
    """The columns that a file of schools must have."""
    return (*KEYS, *standard.quantities)


def facts(standard: Standard, on: date) -> list[str]:
    """The columns that it may have: facts that the special cases of its indicators read."""
    return special.read(standard.name, on).facts(frozenset(standard.indicators))


def read_schools(path: Path, standard: Standard, on: date) -> SchoolFile:
    """Read one row a school and stage. Raises UserError with all faults of the file."""
    optional = facts(standard, on)
    heading, lines = read_lines(path)
    places = _places(path, heading, columns(standard), optional)
    rows = _Rows(path, places, heading, standard, optional)
    for number, cells in lines:
        rows.add(number, cells)
    if not rows.faults and not rows.schools:
        rows.faults.append(f"{path}: there is no school in it")
    refuse(rows.faults)
    known = set(places.values())
    ignored = [name for at, name in enumerate(heading) if at not in known and name]
    notes = [f"columns that are not used: {', '.join(ignored)}"] if ignored else []
    twice = sorted(name for name, districts in rows.districts.items() if len(districts) > 1)
    if twice:
        notes.append(f"schools of one name in two districts, taken as two: {', '.join(twice[:5])}")
    return SchoolFile(rows.schools, notes)


def read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Heading and lines (with their numbers) of a CSV file; blank lines are skipped. Raises UserError."""
    text = _text(path)
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    found = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                found.append((reader.line_num, stripped))
    except csv.Error as error:
        raise UserError(
            f"{path}, line {reader.line_num}: is no CSV: {error}.",
            'Close every quote, and write a quote inside a value twice ("").',
        ) from error
    if not found:
        raise UserError(f"{path}: the file is empty.", "The first line names the columns; see `--help`.")
    return found[0][1], found[1:]


def number(text: str) -> Number | str:
    """A number of a cell, exactly, at least 0; else what is wrong with it."""
    plain = unicodedata.normalize("NFKC", text).strip().lower().replace("−", "-")
    if plain.isdecimal() and len(plain) < 16:
        return int(plain)
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    if not _NUMBER.fullmatch(plain):
        return "is not a number"
    found = Fraction(plain)
    if found < 0:
        return "is negative"
    if found >= _LARGEST:
        return "is too large"
    return found.numerator if found.denominator == 1 else found


def refuse(faults: Sequence[str]) -> None:
    """Raise a UserError with the faults, where there are any."""
    if not faults:
        return
    more = [f"… and {len(faults) - MOST_TOLD:,} more"] if len(faults) > MOST_TOLD else []
    raise UserError("\n".join([*faults[:MOST_TOLD], *more]), _WAY_OUT)


class _Rows:
    """Rows as they are read, with the faults that were found."""

    def __init__(
        self,
        path: Path,
        places: dict[str, int],
        heading: Sequence[str],
        standard: Standard,
        optional: list[str],
    ) -> None:
        self.path, self._places, self._standard = path, places, standard
        self._heading = heading
        self._optional = [name for name in optional if name in places]
        self._times = {n: _TIMES.get(_key(heading[at]), 1) for n, at in places.items()}
        self._seen: dict[tuple[str, str, str], int] = {}
        self.schools: list[SchoolStage] = []
        self.districts: dict[str, set[str]] = {}
        self.faults: list[str] = []

    def add(self, line: int, cells: list[str]) -> None:
        before = len(self.faults)
        wide = len(self._heading)
        # A comma at the end of a line is no further cell.
        if len(cells) < wide or any(cells[wide:]):
            self._fault(line, None, f"has {len(cells)} cells, the heading has {wide}")
            return
        given = {name: cells[at] for name, at in self._places.items()}
        stage = self._stage(line, given["stage"])
        for name in ("district", "school"):
            if not given[name]:
                self._fault(line, name, "is missing")
        pupils = self._pupils(line, given["pupils"])
        quantities = {
            name: self._quantity(line, name, given[name], is_needed=pupils != 0)
            for name in self._standard.quantities
        }
        stated = {name: self._fact(line, name, given[name]) for name in self._optional if given[name]}
        key = (given["district"], given["school"], stage)
        if all(key) and (first := self._seen.setdefault(key, line)) != line:
            self._fault(line, "school", f"{given['school']!r} {stage} stands in line {first} already")
        if len(self.faults) == before:
            self.schools.append(SchoolStage(*key, pupils, quantities, stated))
            self.districts.setdefault(given["school"], set()).add(given["district"])

    def _fault(self, line: int, column: str | None, problem: str) -> None:
        written = f", column {self._heading[self._places[column]]}" if column else ""
        self.faults.append(f"{self.path}, line {line}{written}: {problem}")

    def _stage(self, line: int, text: str) -> str:
        stage = STAGE_NAMES.get(text.lower(), "")
        if not stage:
            problem = f"unknown stage {text!r}" if text else "is missing"
            self._fault(line, "stage", f"{problem}: write {' or '.join(STAGES)}")
        return stage

    def _pupils(self, line: int, text: str) -> int:
        found = self._amount(line, "pupils", text)
        if isinstance(found, Fraction):
            self._fault(line, "pupils", f"{text!r} is not a whole number")
        return int(found)

    def _quantity(self, line: int, name: str, text: str, *, is_needed: bool) -> Number:
        if not text and not is_needed:
            return 0
        return self._amount(line, name, text) * self._times[name]

    def _amount(self, line: int, name: str, text: str) -> Number:
        found = number(text) if text else "is missing"
        if isinstance(found, str):
            self._fault(line, name, f"{text!r} {found}" if text else found)
            return 1
        return found

    def _fact(self, line: int, name: str, text: str) -> Number:
        if not name.startswith("is_"):
            return self._amount(line, name, text)
        if (flag := _FLAGS.get(text.lower())) is None:
            self._fault(line, name, f"{text!r} is neither yes nor no: write 1 or 0")
        return flag or 0


def _places(
    path: Path, heading: Sequence[str], needed: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """Our column -> its place in the heading. Raises UserError for one that is missing or stands twice."""
    keys = [_key(name) for name in heading]
    found: dict[str, int] = {}
    faults = []
    for name in (*needed, *optional):
        # What stands under our own name is meant; other headings serve where it does not stand.
        for known in ([name], [_key(other) for other in _HEADINGS.get(name, ())]):
            at = [place for place, key in enumerate(keys) if key in known]
            if len(at) > 1:
                faults.append(f"{path}, line 1, column {name}: stands {len(at)} times in the heading")
            if at:
                found[name] = at[0]
                break
    missing = [name for name in needed if name not in found]
    for name in missing:
        near = nearest(name, [key for place, key in enumerate(keys) if place not in found.values()])
        faults.append(f"{path}, line 1, column {name}: there is no such column{near}")
    if missing:
        faults.append(f"the heading has {', '.join(heading)}; wanted are {','.join(needed)}")
    refuse(faults)
    return found


def _key(heading: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", heading)).lower()


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: the compressed file is damaged: {error}.", "Pack it again.") from error
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}.", "Give the path of a CSV file."
        ) from error
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UserError(
            f"{path}: is a workbook, not a CSV.", "Save its sheet as “CSV UTF-8”, give that file."
        )
    for codec in _codecs(data):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UserError(f"{path}: is no text.", "Save the table as “CSV UTF-8” and give that file.")


def _codecs(data: bytes) -> Iterator[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield "utf-16"
    yield "utf-8-sig"
    yield "gb18030"
