"""The plan of inspections for one's own number of visits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from portal import query
from portal.access.gate import OFFICIALS, opened_to
from portal.asked import Asked, OneAsked, problems_told
from portal.replies import API
from portal.resources import table_for
from portal.said import SaidOfRows, meanings, said

router = APIRouter(prefix=API, tags=["safety"], responses={**problems_told(403, 404, 410, 422, 503, 504)})

PLAN = "fct_safety_inspection_plan"
_METHOD = (
    "检查计划：每次检查都安排在最能降低预期事故的学校，前 k 次即 k 次检查的计划；"
    "模型与假设见 docs/decisions/safety-rules.md。",
    "Each visit goes where it lowers the incidents expected most; the first k are the plan of k visits."
    " docs/decisions/safety-rules.md has the model and its assumptions.",
)


class Visit(BaseModel):
    """A visit: which one of the plan, which one of its school; the risk before, what it lowers, the sum."""

    visit: int
    school_code: str
    school_name: str | None
    district_code: str | None
    visit_number: int
    incident_rate: float | None
    open_hazard_count: int | None
    overdue_hazard_count: int | None
    risk_before: float
    risk_lowered: float
    risk_lowered_total: float


class VisitPlan(SaidOfRows):
    """The plan. `planned_count`: fewer than asked where the release plans no more."""

    asked_count: int
    planned_count: int
    risk_lowered_total: float
    visits: list[Visit]


@router.get(
    "/safety/inspection-plan",
    summary="检查计划：按可安排的检查次数",
    response_model=VisitPlan,
    **opened_to(*OFFICIALS),
)
async def plan(
    asked: OneAsked,
    visits: Annotated[int, Query(ge=1, le=10_000, description="检查次数 How many visits can be made.")] = 50,
    district_code: Annotated[
        str | None, Query(pattern=r"^[0-9]{6}$", description="只看一个区 Only schools of this district.")
    ] = None,
) -> Response:
    """The visits that lower the incidents expected most, as `./edulake safety plan` lists them."""
    key = f"inspection plan {visits} {district_code}"
    return await asked.answer(key, lambda of: _told(asked, visits, district_code))


def _told(asked: Asked, visits: int, district: str | None) -> bytes:
    table = table_for(asked, [PLAN])
    held = {"district_code": district} if district else {}
    listed = numbered(query.rows(asked, table, held, sort="visit_rank", limit=visits))
    columns = meanings(asked.snapshot, [table])
    told = {
        "asked_count": visits,
        "planned_count": len(listed),
        "risk_lowered_total": listed[-1]["risk_lowered_total"] if listed else 0,
        "visits": listed,
        "columns": {name: told for name, told in columns.items() if name in Visit.model_fields},
        "reasons": {},
    }
    return said(asked.snapshot, *_METHOD, told)


def numbered(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Visits in the order of their rank, numbered anew, with what they lower together up to each."""
    found, total = [], Decimal(0)
    for at, row in enumerate(rows, 1):
        total += row["risk_lowered"]
        own = {name: row[name] for name in Visit.model_fields if name in row}
        found.append({**own, "visit": at, "risk_lowered_total": total})
    return found
