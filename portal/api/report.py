"""One pupil's fitness report: each item's value, points, percentile, change, and advice. No names."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from jobs.access.caller import Role
from jobs.declare import standards
from portal import query
from portal.access.gate import opened_to
from portal.asked import Asked, AskedOfPupils, problems_told
from portal.problems import ProblemError
from portal.replies import API
from portal.resources import table_for
from portal.said import SaidOfRows, meanings, reasons, said

router = APIRouter(prefix=API, tags=["fitness"], responses={**problems_told(403, 404, 410, 422, 503, 504)})

REPORT, RESULT = "rpt_services__fitness_report", "fct_fitness_result"
# Percentiles need a value: height and weight are told with the body mass index.
_NOT_SCORED = ("height", "weight")
_ADVISED = ("item_code", "advice_zh", "advice_en")
_METHOD = (
    "按测试当日有效的《国家学生体质健康标准》评分；百分位为同性别、同月龄学生中的位置，越高越好；"
    "建议从总分最有提升空间的项目给出，仅供参考，不作诊断。",
    "Scored by the national standard in force on the day of the test; percentiles are among pupils of the"
    " same sex and age, higher is better; advice is on the items by which the total has most to gain, and no"
    " diagnosis.",
)


class Item(BaseModel):
    """An item that was tested; its points of 100, and its percentile among pupils of the same sex and age."""

    item_code: str
    item_zh: str
    unit: str
    item_value: float
    points: float | None
    percentile: float | None


class Advice(BaseModel):
    """How to train an item."""

    item_code: str
    item_zh: str
    advice_zh: str
    advice_en: str


class Year(BaseModel):
    """One school year's report."""

    school_year_start: int
    school_year: str
    grade_key: str | None
    sex_code: str | None
    test_date: date | None
    score_status: str
    total_score: float | None
    fitness_level: str | None
    total_change_score: float | None
    mean_percentile: float | None
    mean_percentile_change: float | None
    standard_version: str | None
    items: list[Item]
    advice: list[Advice]


class PupilReport(SaidOfRows):
    """A pupil's reports, the newest school year first."""

    pupil_key: str
    summary_zh: str
    years: list[Year]


@router.get(
    "/fitness/report",
    summary="一名学生的体质健康报告",
    response_model=PupilReport,
    **opened_to(Role.FAMILY, Role.SCHOOL, Role.STEWARD),
)
async def report(
    asked: AskedOfPupils,
    pupil_key: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9A-Za-z_-]{1,64}$",
            description="学生键；家庭不填。A pupil's key; a family has its own.",
        ),
    ] = None,
    school_year_start: Annotated[
        int | None, Query(ge=1980, le=2100, description="只看一个学年 Only this school year.")
    ] = None,
) -> Response:
    """The pupil's report: a family's own child, a school's own pupil."""
    pupil = pupil_key or asked.scope.pupil_key
    if not pupil:
        raise ProblemError(422, "invalid-parameter", "请填写 pupil_key", "pupil_key is needed")
    key = f"fitness report {pupil} {school_year_start}"
    return await asked.answer(key, lambda of: _told(asked, pupil, school_year_start))


def _told(asked: Asked, pupil: str, year: int | None) -> bytes:
    held: dict[str, Any] = {"pupil_key": pupil}
    if year is not None:
        held["school_year_start"] = year
    reports = query.rows(asked, table_for(asked, [REPORT]), held, sort="-school_year_start")
    if not reports:
        raise ProblemError(
            404, "no-report", "没有这名学生的报告", "no report of this pupil and year in the caller's scope"
        )
    results = {row["school_year_start"]: row for row in query.rows(asked, table_for(asked, [RESULT]), held)}
    day = date.fromisoformat(asked.snapshot.release.manifest["as_of_date"])
    items = [row for row in standards.rows("fitness/items") if row["item_code"] not in _NOT_SCORED]
    advice = {row["item_code"]: row for row in standards.rows("fitness/advice", day)}
    years = [_year(row, results.get(row["school_year_start"], {}), items, advice) for row in reports]
    columns = meanings(asked.snapshot, [REPORT, RESULT])
    told = {
        "pupil_key": pupil,
        "summary_zh": _summary(years[0]),
        "years": years,
        "columns": {name: told for name, told in columns.items() if name in Year.model_fields},
        "reasons": reasons(reports),
    }
    return said(asked.snapshot, *_METHOD, told)


def _year(
    report: dict[str, Any],
    result: dict[str, Any],
    items: list[dict[str, str]],
    advice: dict[str, dict[str, str]],
) -> dict[str, Any]:
    tested = [
        {
            "item_code": one["item_code"],
            "item_zh": one["zh"],
            "unit": one["unit"],
            "item_value": result[one["column_name"]],
            "points": result.get(f"points_{one['item_code']}"),
            "percentile": report.get(f"percentile_{one['item_code']}"),
        }
        for one in items
        if result.get(one["column_name"]) is not None
    ]
    code_of = {one["zh"]: one["item_code"] for one in items}
    to_train = [code_of[name] for name in (report["train_items_zh"] or "").split("、") if name in code_of]
    zh_of = {code: zh for zh, code in code_of.items()}
    known = {**result, **report}
    return {
        **{name: known.get(name) for name in Year.model_fields if name not in ("items", "advice")},
        "items": tested,
        "advice": [
            {"item_zh": zh_of[code], **{name: advice[code][name] for name in _ADVISED}}
            for code in to_train
            if code in advice
        ],
    }


def _summary(year: dict[str, Any]) -> str:
    """The newest report in a sentence."""
    if year["total_score"] is None:
        return f"{year['school_year']}学年没有总分，原因见 score_status。"
    told = f"{year['school_year']}学年总分{year['total_score']}分，等级{year['fitness_level']}"
    if (change := year["total_change_score"]) is not None:
        told += f"，比上学年{'提高' if change > 0 else '降低' if change < 0 else '持平'}"
        told += f"{abs(change)}分" if change else ""
    names = "、".join(one["item_zh"] for one in year["advice"])
    return f"{told}。" + (f"建议加强：{names}。" if names else "各项均衡，请保持锻炼。")
