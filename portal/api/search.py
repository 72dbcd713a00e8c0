"""Schools: found by name, area, district or stage, and all that is known of one."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from portal import query, selection
from portal.access.gate import opened_to
from portal.asked import Asked, OneAsked, problems_told
from portal.problems import ProblemError
from portal.replies import API
from portal.resources import READERS, table_for
from portal.said import SaidOfRows, meanings, reasons, said
from portal.snapshot import Snapshot

router = APIRouter(
    prefix=API,
    tags=["schools"],
    responses={**problems_told(403, 404, 410, 422, 503, 504)},
)

SCHOOLS, _HISTORY, _ENROLLED = "dim_school", "dim_school_history", "fct_enrollment_grade"
Stage = Literal["kindergarten", "primary", "junior", "senior"]
# What one school's page is made of: name in the answer -> its table, the rows that are shown, their order.
_PARTS: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "profile": ("rpt_services__school_profile", {}, ""),
    "safety": ("rpt_services__school_safety", {}, ""),
    "outlook": ("fct_school_outlook", {}, "school_year_start"),
    "enrollment": (_ENROLLED, {"is_newest_school_year": True}, "grade_key"),
    "names": (_HISTORY, {}, "valid_from"),
}
_SEARCH = (
    "学校名录检索：依次为标识码或名称相同、开头相同、包含、各字依次出现、相近；"
    "曾用名也查，排在同级现用名之后；同级中在办的、短的在前。",
    "The register searched by code and name: equal, beginning alike, containing, all characters in order,"
    " alike; former names too, after present ones; of equals those that are open and short first.",
)
_ONE = (
    "学校名录及该校各项已发布数据，各字段含义见 columns。",
    "The register's entry and what is published of the school; `columns` says what each figure means.",
)
_CITY = re.compile(r"^北京市?")
_DIGITS = "零一二三四五六七八九"


class FoundSchool(BaseModel):
    """A school of the register. `matched_name`: the name that was found, a former one perhaps."""

    school_code: str
    school_name: str
    matched_name: str
    district_code: str | None
    district_name_zh: str | None
    area_name: str | None
    stage_codes: list[str]
    school_type_zh: str | None
    ownership_zh: str | None
    is_open: bool | None
    successor_school_code: str | None
    href: str


class Found(SaidOfRows):
    """Schools, the best first; `found_count`: how many there are in all."""

    found_count: int
    schools: list[FoundSchool]


class OneSchool(SaidOfRows):
    """One school. Parts that the caller's file does not have are left out."""

    school: dict[str, Any]
    stage_codes: list[str]
    profile: dict[str, Any] | None = None
    safety: dict[str, Any] | None = None
    outlook: list[dict[str, Any]] | None = None
    enrollment: list[dict[str, Any]] | None = None
    names: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Entry:
    """A school with the names by which it is found, the present one first, each as it is typed and folded."""

    row: Mapping[str, Any]
    stages: tuple[str, ...]
    names: tuple[tuple[str, str], ...]


@router.get(
    "/schools", summary="学校检索：按名称、学区、区、学段", response_model=Found, **opened_to(*READERS)
)
async def schools(
    asked: OneAsked,
    q: Annotated[
        str, Query(max_length=60, description="名称、简称或标识码 Name, part or short form, or code.")
    ] = "",
    district_code: Annotated[str | None, Query(pattern=r"^[0-9]{6}$", description="区 District.")] = None,
    area_name: Annotated[str | None, Query(max_length=60, description="学区 Area.")] = None,
    stage_code: Annotated[Stage | None, Query(description="学段 Stage that it teaches.")] = None,
    is_open: Annotated[bool | None, Query(description="是否在办 Open, or closed.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="最多几所 At most so many.")] = 20,
) -> Response:
    """Schools of the register, ranked by how well their names fit."""
    held: dict[str, Any] = {
        "district_code": district_code,
        "area_name": area_name,
        "stage_code": stage_code,
        "is_open": is_open,
    }
    key = f"schools {q!r} {sorted(held.items())!r} {limit}"
    return await asked.answer(key, lambda of: _found(asked, q, held, limit))


@router.get("/schools/{school_code}", summary="一所学校", response_model=OneSchool, **opened_to(*READERS))
async def school(
    asked: OneAsked, school_code: Annotated[str, Path(pattern=r"^[0-9A-Za-z]{4,20}$")]
) -> Response:
    """One school of the register, with its profile, safety, outlook, pupils by grade and former names."""
    return await asked.answer(f"school {school_code}", lambda of: _one(asked, school_code))


def _found(asked: Asked, q: str, held: Mapping[str, Any], limit: int) -> bytes:
    if held["district_code"]:
        # A code that no list has is refused; a valid one may have no rows.
        table = table_for(asked, [SCHOOLS])
        selection.select(asked.snapshot, asked.scope, table, [("district_code", held["district_code"])])
    fits = [entry for entry in register(asked) if _holds(entry, held)]
    ranked = rank(fits, q)
    told = {
        "found_count": len(ranked),
        "schools": [
            {
                **{name: entry.row[name] for name in FoundSchool.model_fields if name in entry.row},
                "matched_name": name,
                "stage_codes": list(entry.stages),
                "href": f"{API}/schools/{entry.row['school_code']}",
            }
            for entry, name in ranked[:limit]
        ],
    }
    shown = {n: m for n, m in meanings(asked.snapshot, [SCHOOLS]).items() if n in FoundSchool.model_fields}
    return said(asked.snapshot, *_SEARCH, {**told, "columns": shown, "reasons": {}})


def _holds(entry: Entry, held: Mapping[str, Any]) -> bool:
    if held["stage_code"] and held["stage_code"] not in entry.stages:
        return False
    if held["is_open"] is not None and bool(entry.row["is_open"]) != held["is_open"]:
        return False
    return all(not held[name] or entry.row[name] == held[name] for name in ("district_code", "area_name"))


def rank(entries: Sequence[Entry], q: str) -> list[tuple[Entry, str]]:
    """The entries that fit a question, the best first, each with the name that fits; all in the order of
    their codes where nothing is asked.
    """
    words, code = folded(q), unicodedata.normalize("NFKC", q).strip()
    if not code:
        return [(entry, entry.names[0][0]) for entry in entries]
    found = []
    for entry in entries if words else ():
        if entry.row["school_code"] == code:
            found.append(((0.0, 0, 0, ""), entry, entry.names[0][0]))
            continue
        best: tuple[tuple[float, int, int, str], str] | None = None
        for at, (typed, name) in enumerate(entry.names):
            fit = _fit(words, name)
            if fit is None:
                continue
            place = (fit + (0.05 if at else 0.0), int(not entry.row["is_open"]), len(name), typed)
            if best is None or place < best[0]:
                best = place, typed
        if best:
            found.append((best[0], entry, best[1]))
    found.sort(key=lambda one: (one[0], one[1].row["school_code"]))
    return [(entry, name) for _, entry, name in found]


def _fit(words: str, name: str) -> float | None:
    """How well a name fits, the less the better; None for not at all."""
    if words == name:
        return 0.0
    if name.startswith(words):
        return 1.0
    if words in name:
        return 2.0
    at, first = -1, -1
    for letter in words:
        at = name.find(letter, at + 1)
        if at < 0:
            break
        first = at if first < 0 else first
    else:
        # Closer together is better: 人大附中 in 中国人民大学附属中学.
        return 3.0 + (at - first + 1 - len(words)) / (len(name) + 1)
    alike = _pairs(words) & _pairs(name)
    share = len(alike) / max(len(_pairs(words)), 1)
    return 5.0 - share if len(words) > 3 and share >= 0.6 else None


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


def folded(text: str) -> str:
    """A name as it is compared: one width and case, no signs, no city; 第5小学 is 第五小学."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(
        r"\d{1,3}", lambda found: _in_chinese(int(found[0])) if len(text) < 60 else found[0], plain
    )
    plain = "".join(letter for letter in plain if letter.isalnum())
    return _CITY.sub("", plain) or plain


def _in_chinese(number: int) -> str:
    """1 to 999 as it is written: 一百零三, 二十, 十五."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    told = f"{_DIGITS[hundreds]}百" if hundreds else ""
    if tens:
        told += ("" if tens == 1 and not hundreds else _DIGITS[tens]) + "十"
    elif hundreds and ones:
        told += "零"
    return told + (_DIGITS[ones] if ones or not number else "")


_registers: WeakKeyDictionary[Snapshot, dict[str, list[Entry]]] = WeakKeyDictionary()
_reading = threading.Lock()


def register(asked: Asked) -> list[Entry]:
    """The schools that the caller may see, in the order of their codes; kept while the release is open."""
    with _reading:
        kept = _registers.setdefault(asked.snapshot, {})
        if asked.scope.tag not in kept:
            kept[asked.scope.tag] = _read(asked)
        return kept[asked.scope.tag]


def _read(asked: Asked) -> list[Entry]:
    known = selection.tables(asked.snapshot, asked.scope)
    stages: dict[str, set[str]] = {}
    if _ENROLLED in known:
        newest = {"is_newest_school_year": True}
        for row in query.rows(asked, _ENROLLED, newest, fields=("school_code", "stage_code")):
            stages.setdefault(row["school_code"], set()).add(row["stage_code"])
    former: dict[str, list[str]] = {}
    if _HISTORY in known:
        for row in query.rows(asked, _HISTORY, fields=("school_code", "school_name", "as_now_school_code")):
            for code in {row["school_code"], row["as_now_school_code"]}:
                former.setdefault(code, []).append(row["school_name"])
    found = []
    for row in query.rows(asked, table_for(asked, [SCHOOLS]), sort="school_code"):
        code, own = row["school_code"], row["school_name"] or row["school_code"]
        names = dict.fromkeys([own, *(name for name in former.get(code, ()) if name)])
        taught = tuple(stage for stage in get_args(Stage) if stage in stages.get(code, ()))
        found.append(Entry(row, taught, tuple((name, folded(name)) for name in names)))
    return found


def _one(asked: Asked, code: str) -> bytes:
    entry = next((one for one in register(asked) if one.row["school_code"] == code), None)
    if entry is None:
        raise ProblemError(
            404, "unknown-school", "没有这所学校", "no school of this code in the caller's scope"
        )
    known = selection.tables(asked.snapshot, asked.scope)
    told: dict[str, Any] = {"school": entry.row, "stage_codes": list(entry.stages)}
    shown = [entry.row]
    for name, (table, held, order) in _PARTS.items():
        if table not in known:
            continue
        rows = query.rows(asked, table, {"school_code": code, **held}, sort=order)
        shown += rows
        told[name] = rows if order else (rows[0] if rows else None)
    tables = [SCHOOLS, *(table for table, _, _ in _PARTS.values() if table in known)]
    about = {"columns": meanings(asked.snapshot, tables), "reasons": reasons(shown)}
    return said(asked.snapshot, *_ONE, {**told, **about})
