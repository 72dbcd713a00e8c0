"""`/api/v1/family-codes`: a school hands out codes by which a family sees one pupil, and takes them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from jobs.access import codes
from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail
from jobs.settings import UserError
from portal.access.gate import OneCaller, opened_to, taking
from portal.access.sign_in import OneKeeper
from portal.asked import Asked, AskedOfPupils, problems_told
from portal.problems import ProblemError
from portal.query import rows
from portal.replies import API

router = APIRouter(prefix=f"{API}/family-codes", tags=["access"], responses={**problems_told(401, 403, 404)})
_HANDING_OUT = (Role.SCHOOL, Role.STEWARD)
_ROLL = "dim_pupil"


class NewCode(BaseModel):
    """For which pupil, and for how many days."""

    model_config = ConfigDict(extra="forbid")

    pupil_key: Annotated[str, Field(min_length=1, max_length=100)]
    days: Annotated[int, Field(ge=1, le=366)] = codes.DAYS


class ListedCode(BaseModel):
    """A code without its secret: its first four signs, and until when it is good."""

    prefix: str
    school_code: str
    made_at: str
    ends_at: str
    revoked_at: str | None
    synthetic: bool


class MadeCode(ListedCode):
    """A new code with its whole text, which is shown this once."""

    code: str


class ListedCodes(BaseModel):
    """The codes that a school has handed out."""

    synthetic: bool
    codes: list[ListedCode]


@router.post(
    "",
    status_code=201,
    summary="为一名学生生成家长查询码",
    response_model=MadeCode,
    **taking(4096, *_HANDING_OUT),
)
async def hand_out(request: Request, asked: AskedOfPupils, keeper: OneKeeper, wanted: NewCode) -> Response:
    """Make a code for one of the school's pupils; former codes of the pupil end. 404 for any other pupil."""
    pupil = await run_in_threadpool(_pupil, asked, wanted.pupil_key)
    if pupil is None:
        raise ProblemError(404, "unknown-pupil", "本校没有这名学生", "no pupil of yours has this key")
    by = asked.caller
    code, text = await run_in_threadpool(codes.add, keeper.store, pupil, by.subject, wanted.days)
    await run_in_threadpool(
        _trail(request).write, by, "code-added", code.caller.subject, {"for_unit": pupil.school_code}
    )
    made = MadeCode(code=text, **_listed(request, code).model_dump())
    return Response(made.model_dump_json(), 201, {"cache-control": "no-store"}, "application/json")


@router.get("", summary="本校已发的家长查询码", response_model=ListedCodes, **opened_to(*_HANDING_OUT))
def listed(request: Request, caller: OneCaller, keeper: OneKeeper) -> Response:
    """The codes that were handed out, without secrets and pupils."""
    found = [_listed(request, code) for code in codes.listed(keeper.store, _own(caller))]
    told = ListedCodes(synthetic=request.app.state.library.is_synthetic, codes=found)
    return Response(told.model_dump_json(), 200, {"cache-control": "no-store"}, "application/json")


@router.delete("/{prefix}", summary="吊销家长查询码", response_model=ListedCode, **opened_to(*_HANDING_OUT))
def revoke(request: Request, caller: OneCaller, keeper: OneKeeper, prefix: str) -> Response:
    """Revoke a code by its first four signs: who is signed in by it is out at once."""
    try:
        code = codes.revoke(keeper.store, codes.plain(prefix), _own(caller))
    except UserError as error:
        raise ProblemError(404, "unknown-code", "没有这个查询码", "no code of yours begins so") from error
    _trail(request).write(caller, "code-revoked", code.caller.subject)
    told = _listed(request, code)
    return Response(told.model_dump_json(), 200, {"cache-control": "no-store"}, "application/json")


def _pupil(asked: Asked, pupil_key: str) -> codes.Pupil | None:
    """The pupil where he is on the newest roll; where no roll is published, by his newest row anywhere."""
    shown = asked.snapshot.tables
    names = [name for name, told in shown.items() if told["pupil_rows"]]
    for name in [_ROLL] if _ROLL in names else names:
        found = rows(asked, name, {"pupil_key": pupil_key}, sort="-school_year_start", limit=1)
        if found and found[0]["school_code"] and found[0]["district_code"]:
            return codes.Pupil(pupil_key, found[0]["school_code"], found[0]["district_code"])
    return None


def _own(caller: Caller) -> str:
    """The school whose codes a caller sees; nothing for who sees all."""
    return caller.unit_code if caller.role == Role.SCHOOL else ""


def _listed(request: Request, code: codes.Code) -> ListedCode:
    return ListedCode(
        prefix=code.prefix,
        school_code=code.school_code,
        made_at=code.made_at,
        ends_at=code.ends_at,
        revoked_at=code.revoked_at,
        synthetic=request.app.state.library.is_synthetic,
    )


def _trail(request: Request) -> Trail:
    trail: Trail = request.app.state.trail
    return trail
