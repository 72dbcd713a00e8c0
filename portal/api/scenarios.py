"""Scenarios of places: levers on a release, two scenarios side by side, and the cheapest mix for a gap.

The base is read from the caller's file, and kept for as long as the release is open.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from jobs.settings import UserError
from portal import query
from portal.access.gate import OFFICIALS, opened_to, taking
from portal.asked import Asked, OneAsked, problems_told
from portal.problems import ProblemError
from portal.replies import API
from portal.resources import table_for
from portal.said import Said, said
from portal.selection import select
from portal.snapshot import Snapshot

if TYPE_CHECKING:
    from jobs.decide.places.scenario import Base, Lever
    from jobs.decide.places.side_by_side import Closed

router = APIRouter(
    prefix=f"{API}/places/scenarios",
    tags=["places"],
    responses={**problems_told(403, 404, 410, 422, 503, 504)},
)

METHOD = (
    "情景推演：在发布版本的各区分学段预测、学位和在途项目上施加杠杆，重新计算余缺和概率；"
    "出生杠杆只作用于尚未出生的人群，入学杠杆只作用于尚未入学的人群。",
    "Levers act on the release's forecast, places and projects of districts; births act on cohorts not born"
    " yet, entry on those that have not entered (docs/decisions/places.md).",
)
UNITS = {
    "pupils": ("人", "pupils"),
    "places": ("个", "places"),
    "gap": ("个", "places less pupils; below 0: lacking"),
    "shortage_probability": ("0–1", "chance that pupils exceed places"),
    "surplus_probability": ("0–1", "chance that more places stay empty than the warning levels allow"),
}
_WORDS = {
    "births": ("出生人数增减（%）", "Births, in percent"),
    "entry": ("入学率增减（%）", "Entrants, in percent"),
    "class_size": ("每班增加人数", "More pupils a class"),
    "premises": ("腾退校舍增加学位", "Places from premises taken back"),
    "shift": ("学段间调剂学位", "Places moved between stages"),
    "catchment": ("片区调整学生数", "Pupils sent to another district"),
    "delay": ("项目推迟年数（负数为提前）", "A project delayed, in years (below 0: earlier)"),
    "move": ("项目改建到其他区", "A project moved to another district"),
}
# Bytes of a request.
_BODY = 20_000
Code = Annotated[str, Field(pattern=r"^\d{6}$", examples=["110105"])]
Stage = Annotated[str, Field(pattern=r"^[a-z_]{1,20}$", examples=["primary"])]
Year = Annotated[int, Field(ge=1980, le=2100, examples=[2027])]
Levers = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        max_length=50,
        description="As the option `--lever` of `./edulake places scenario` takes them.",
        examples=[["births -10%"]],
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScenarioAsked(_Body):
    """Two scenarios; without levers nothing changes. `district`, `stage`, `year`: only these rows."""

    levers: Levers = []
    against: Levers = []
    district: Code | None = None
    stage: Stage | None = None
    year: Year | None = None


class MixAsked(_Body):
    """The gap to close: of a district, stage and school year, after some levers."""

    levers: Levers = []
    district: Code
    stage: Stage
    year: Year


class Figures(BaseModel):
    """A district, stage and school year under both scenarios."""

    district_code: str
    stage_code: str
    school_year_start: int
    pupils_against: float
    places_against: float
    gap_against: float
    shortage_probability_against: float
    surplus_probability_against: float
    pupils_scenario: float
    places_scenario: float
    gap_scenario: float
    shortage_probability_scenario: float
    surplus_probability_scenario: float


class Total(BaseModel):
    """The sum of the rows of a stage and school year."""

    stage_code: str
    school_year_start: int
    pupils_against: float
    places_against: float
    gap_against: float
    pupils_scenario: float
    places_scenario: float
    gap_scenario: float


class Ran(Said):
    """Two scenarios side by side. `units`: figure -> its unit in Chinese and English."""

    levers: list[str]
    against: list[str]
    units: dict[str, tuple[str, str]]
    rows: list[Figures]
    totals: list[Total]


class LeverPlaces(BaseModel):
    """What a lever gives in the mix, and what it could give at most. Costs are assumptions: `source`."""

    lever: str
    lever_zh: str
    place_count: int
    most_place_count: int
    cost_per_place_yuan: float
    cost_yuan: float
    source: str


class Mixed(Said):
    """The cheapest mix. `lacking_count`: places that are missing even with every lever used."""

    district_code: str
    stage_code: str
    school_year_start: int
    shortage_count: int
    is_closed: bool
    lacking_count: int
    cost_yuan: float
    note_zh: str
    places: list[LeverPlaces]


class LeverTold(BaseModel):
    """A lever: the unit of its amount, and the words that it needs and may have."""

    name: str
    title_zh: str
    title_en: str
    unit: str
    needs: list[str]
    may_have: list[str]


class LeversTold(Said):
    """The levers that a scenario may use."""

    levers: list[LeverTold]


@router.get("/levers", summary="情景推演的杠杆", response_model=LeversTold, **opened_to(*OFFICIALS))
async def levers(asked: OneAsked) -> Response:
    """The levers, their units and words."""
    from jobs.decide.places.scenario import LEVERS

    listed = [
        LeverTold(
            name=name,
            title_zh=_WORDS[name][0],
            title_en=_WORDS[name][1],
            unit=unit,
            needs=sorted(needs),
            may_have=sorted(may),
        )
        for name, (unit, needs, may) in LEVERS.items()
    ]
    told = {"levers": [one.model_dump() for one in listed]}
    return await asked.answer("scenario levers", lambda of: said(of, *METHOD, told))


@router.post("/run", summary="情景推演：两种情景并列", response_model=Ran, **taking(_BODY, *OFFICIALS))
async def run(asked: OneAsked, body: ScenarioAsked) -> Response:
    """Places and pupils of districts under two scenarios: `levers`, and `against`."""
    return _answer(asked, await run_in_threadpool(_ran, asked, body))


@router.post("/mix", summary="补足缺口的最低费用方案", response_model=Mixed, **taking(_BODY, *OFFICIALS))
async def mix(asked: OneAsked, body: MixAsked) -> Response:
    """The cheapest mix of levers that closes the gap of a district, stage and school year."""
    return _answer(asked, await run_in_threadpool(_mixed, asked, body))


def _answer(asked: Asked, told: bytes) -> Response:
    return Response(
        told,
        media_type="application/json",
        headers={"x-data-release": str(asked.snapshot.release.number), "cache-control": "private, no-store"},
    )


def _ran(asked: Asked, body: ScenarioAsked) -> bytes:
    from jobs.decide.places import side_by_side

    base, day = base_of(asked), _day(asked)
    with _refused():
        both = side_by_side.compare(base, _parsed(body.against), _parsed(body.levers), day)
    _check_codes(asked, body)
    rows = side_by_side.Place(body.district, body.stage, body.year).of(both)
    summed = [name for name in Total.model_fields if name not in ("stage_code", "school_year_start")]
    totals = rows.groupby(["stage_code", "school_year_start"], as_index=False, sort=False)[summed].sum()
    told = {
        "levers": body.levers,
        "against": body.against,
        "units": UNITS,
        "rows": rows.to_dict("records"),
        "totals": totals.to_dict("records"),
    }
    return said(asked.snapshot, *METHOD, told)


def _mixed(asked: Asked, body: MixAsked) -> bytes:
    from jobs.decide.places import side_by_side

    base, day = base_of(asked), _day(asked)
    with _refused():
        both = side_by_side.compare(base, [], _parsed(body.levers), day)
    _check_codes(asked, body)
    if side_by_side.Place(body.district, body.stage, body.year).of(both).empty:
        raise ProblemError(
            404,
            "no-such-place",
            "没有该区该学段该学年的学位数据",
            "no places are known for this district, stage and year",
        )
    closed = side_by_side.close(both, body.district, body.stage, body.year, day)
    told = {
        "district_code": body.district,
        "stage_code": body.stage,
        "school_year_start": body.year,
        "shortage_count": closed.shortage,
        "is_closed": closed.mix.lacking == 0,
        "lacking_count": closed.mix.lacking,
        "cost_yuan": closed.mix.cost_yuan,
        "note_zh": _note(asked),
        "places": _lever_places(closed),
    }
    return said(
        asked.snapshot,
        "费用最低的补足方案：整数规划求解，各杠杆有上限和整批数；单价为假设。",
        "The cheapest mix, solved exactly: whole blocks up to each lever's limit, at assumed costs.",
        told,
    )


def _check_codes(asked: Asked, body: ScenarioAsked | MixAsked) -> None:
    """Refuse codes that no list has; valid ones may have no rows."""
    given = {"district_code": body.district, "stage_code": body.stage}
    pairs = [(name, value) for name, value in given.items() if value is not None]
    select(asked.snapshot, asked.scope, "fct_places_gap", pairs)


def _lever_places(closed: Closed) -> list[dict[str, Any]]:
    found = []
    for row in closed.norms.to_dict("records"):
        count = closed.mix.places.get(row["lever"], 0)
        found.append(
            {
                "lever": row["lever"],
                "lever_zh": row["lever_zh"],
                "place_count": count,
                "most_place_count": closed.most.get(row["lever"], 0),
                "cost_per_place_yuan": float(row["cost_per_place_yuan"]),
                "cost_yuan": count * float(row["cost_per_place_yuan"]),
                "source": row.get("source") or "",
            }
        )
    return found


def _note(asked: Asked) -> str:
    """What a district cannot see, and the mix cannot use therefore."""
    if not asked.scope.audience.startswith("district-"):
        return ""
    return "其他区的空余学位不在您的数据范围内，片区调整按 0 个学位计。"


def _parsed(texts: list[str]) -> list[Lever]:
    from jobs.decide.places.scenario import parse

    return [parse(text) for text in texts]


def _day(asked: Asked) -> date:
    return date.fromisoformat(asked.snapshot.release.manifest["as_of_date"])


@contextmanager
def _refused() -> Iterator[None]:
    """A lever that cannot be is a fault of the request."""
    try:
        yield
    except UserError as error:
        told = " ".join(str(error).split())
        raise ProblemError(
            422, "invalid-lever", "杠杆不正确", told, detail_zh=f"杠杆不正确：{told}"
        ) from error


_bases: WeakKeyDictionary[Snapshot, Base] = WeakKeyDictionary()
_making = threading.Lock()


def base_of(asked: Asked) -> Base:
    """The base of the caller's file. No role that may ask has rows chosen within it."""
    from jobs.decide.places import released

    with _making:
        base = _bases.get(asked.snapshot)
        if base is None:
            for name in released.SCENARIO_TABLES:
                table_for(asked, [name])

            def ask(table: str, equal: Mapping[str, str]) -> list[dict[str, Any]]:
                return query.rows(asked, table, equal)

            try:
                base = released.scenario_base(ask)
            except UserError as error:
                raise ProblemError(404, "no-places", "该版本没有各区学位数据", str(error)) from error
            _bases[asked.snapshot] = base
    return base
