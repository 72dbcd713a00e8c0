"""`/api/v1/deliveries`: hand files in, see what came of them, fetch the reports, take a delivery back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from jobs import declare
from jobs.access.caller import Caller, Scope
from jobs.declare.template import write_template
from jobs.lake import senders
from jobs.settings import UserError
from portal import problems
from portal.access.gate import EVERYBODY, SENDERS, OneCaller, opened_to, taking
from portal.asked import problems_told
from portal.door import answers, due, history, upload
from portal.door.desk import Desk
from portal.door.judging import DiedError, judged_folder, unwritten
from portal.door.store import REFUSED
from portal.problems import ProblemError
from portal.replies import API

router = APIRouter(
    prefix=API,
    tags=["deliveries"],
    responses={**problems_told(401, 403, 404, 422, 429, 503)},
)
# Whatever a site allows, no request to the door is larger; its own bounds are in its settings.
MOST_BYTES = 4096 * 1024**2
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = {
    "report.xlsx": ("xlsx", "回执.xlsx", _WORKBOOK),
    "report.html": ("html", "回执.html", "text/html; charset=utf-8"),
    "marked.xlsx": ("marked", "标注.xlsx", _WORKBOOK),
}
_LONGEST_KEY = 200
_AT_DOOR = Scope("deliveries")


def _desk(request: Request) -> Desk:
    # What is read at the door is of the caller's senders alone; the trail has a line for each answer.
    request.state.scope = _AT_DOOR
    desk: Desk = request.app.state.desk
    return desk


OneDesk = Annotated[Desk, Depends(_desk)]


def _said(desk: Desk, told: dict[str, Any]) -> dict[str, Any]:
    """An answer, which says of itself whether it is of a made-up city."""
    return {"synthetic": desk.settings.is_synthetic, **told}


class Withdrawal(BaseModel):
    """Why a delivery is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str, Field(min_length=1, max_length=500, description="Its sender and the steward read it")
    ]


@router.get("/deliveries/due", summary="应报清单与期限", **opened_to(*SENDERS))
def what_is_due(
    desk: OneDesk,
    caller: OneCaller,
    sender: Annotated[str, Query(max_length=64, description="One of the caller's senders")] = "",
) -> dict[str, Any]:
    """What the caller's sender owes: late first, then the next due. A district may ask for its schools; the
    steward, who is no sender, sees the districts and offices.
    """
    rights, known = history.mine(desk, caller), desk.lake.senders()
    if sender and not rights.has(sender):
        raise ProblemError(404, "unknown-sender", "没有这个报送单位", "there is no such sender of yours")
    codes = [sender] if sender else [rights.default] if rights.default else []
    if not codes and rights.is_for_all:
        codes = sorted(known.districts | known.offices)
    day, items = due.owed(desk, codes)
    return _said(desk, {"as_of_date": day.isoformat(), "senders": codes, "due": items})


@router.get("/deliveries/senders", summary="可代报的单位", **opened_to(*SENDERS))
def my_senders(desk: OneDesk, caller: OneCaller) -> dict[str, Any]:
    """The caller's senders with the datasets that each may send, and the bounds of one hand-in."""
    rights, known = history.mine(desk, caller), desk.lake.senders()
    codes = rights.among({*known.districts, *known.offices, *(known.schools or {}), *rights.own})
    kinds = {kind: _datasets(desk, kind) for kind in ("district", "city", "school")}
    door = desk.settings.door
    told = {
        "default": rights.default,
        "senders": [{"code": code, "name": desk.lake.name(code), "kind": known.kind(code)} for code in codes],
        "datasets": kinds,
        "bounds": {"file_mb": door.file_mb, "files": door.files, "total_mb": door.total_mb},
    }
    return _said(desk, told)


def _datasets(desk: Desk, kind: str) -> list[dict[str, str]]:
    return [
        {
            "dataset": one.dataset,
            "feed": one.feed,
            "title_zh": one.zh,
            "title_en": one.en,
            "template": f"{API}/templates/{one.dataset}.xlsx",
        }
        for one in declare.load().values()
        if one.feed in desk.settings.feeds and kind in senders.may_send(one)
    ]


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "sender": {"type": "string"},
                        "dataset": {"type": "string"},
                        "feed": {"type": "string"},
                    },
                }
            }
        },
    }
}


def _taking_form() -> dict[str, Any]:
    rule = taking(MOST_BYTES, *SENDERS)
    return {**rule, "openapi_extra": {**rule["openapi_extra"], **_FORM}}


@router.post(
    "/deliveries",
    status_code=202,
    summary="报送文件",
    responses={200: {"description": "Handed in before"}, **problems_told(400, 409, 413, 415)},
    **_taking_form(),
)
async def hand_in(
    request: Request,
    desk: OneDesk,
    caller: OneCaller,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=_LONGEST_KEY)] = "",
) -> Response:
    """Take files (multipart, fields `file`, and `sender`, `dataset` or `feed` where they need to be said).

    202 with the delivery once it lies on the disk; its verdict follows within a minute, at `location`. The
    same files again are the same delivery. 422 where no file can be taken, with a receipt of the refusal.
    """
    bounds = desk.settings.door
    with await run_in_threadpool(desk.open_spool) as spool:
        given = await upload.receive(request, spool, bounds)
        return await run_in_threadpool(_take, request, desk, caller, given, spool, key)


def _take(
    request: Request, desk: Desk, caller: Caller, given: upload.Upload, spool: Path, key: str
) -> Response:
    sender, dataset, feed = (given.fields.get(name, "") for name in ("sender", "dataset", "feed"))
    rights = history.mine(desk, caller)
    sender = sender or rights.default
    if unknown := sorted({*given.fields} - {"sender", "dataset", "feed"}):
        raise ProblemError(
            422, "unknown-field", "没有这个字段", f"unknown fields: {', '.join(unknown)}"[:200]
        )
    if not given.files:
        raise ProblemError(422, "no-file", "请选择要报送的文件", "the form has no file")
    if dataset and dataset not in declare.load():
        raise ProblemError(422, "unknown-dataset", "没有这种数据表", "there is no such dataset")
    if feed and feed not in desk.settings.feeds:
        raise ProblemError(422, "unknown-feed", "没有这个数据源", "there is no such feed")
    if not sender:
        raise ProblemError(422, "no-sender", "请说明报送单位", "say for which sender: the field `sender`")
    if not rights.has(sender):
        desk.trail.write(caller, "hand-in-refused", "", {"why": "not-his-sender"})
        raise ProblemError(
            403, "not-your-sender", "您不能替该单位报送", "you may hand in for your own senders only"
        )
    try:
        placed = desk.place(sender, given.files, feed, dataset)
        made, is_new = desk.take(caller, sender, placed, spool, key)
    except KeyError as error:
        raise ProblemError(
            409,
            "key-used",
            "该请求编号已用于另一批文件",
            "this Idempotency-Key was used for other files: take a new one",
        ) from error
    except (OSError, UserError) as error:
        raise ProblemError(
            503, "not-taken", "暂时无法收下文件，请稍后重试", "nothing could be written: send it again later"
        ) from error
    refused = sum(bool(file.reasons) for file in made.files)
    details = {"sender": sender, "files": len(made.files), "refused": refused, "new": int(is_new)}
    desk.trail.write(caller, "hand-in", made.id, details)
    told = answers.told(desk.lake, made)
    told |= {"is_repeated": not is_new, "place_in_queue": desk.store.before(made.id)}
    where = f"{API}/deliveries/{made.id}"
    if made.state == REFUSED:
        reasons = [one for file in told["files"] for one in file["verdict"]["reasons"]]
        zh, en = "；".join(one["zh"] for one in reasons), "; ".join(one["en"] for one in reasons)
        more = {"instance": where, "delivery": told}
        refusal = problems.answer(
            request.scope, 422, "refused-at-door", "文件未被接收", en, detail_zh=zh, more=more
        )
        refusal.headers["location"] = where
        return refusal
    return JSONResponse(_said(desk, told), 202 if is_new else 200, {"location": where})


@router.get("/deliveries", summary="报送记录", **opened_to(*SENDERS))
def all_deliveries(
    desk: OneDesk,
    caller: OneCaller,
    sender: Annotated[str, Query(max_length=64)] = "",
    state: Annotated[str, Query(max_length=40, description="A state, or the code of a verdict")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=200)] = "",
) -> dict[str, Any]:
    """Who handed in what and when, the first verdict and the final state; the newest first."""
    page, following = history.listed(desk, caller, sender, state, limit, cursor)
    return _said(desk, {"deliveries": page, "next": following})


@router.get("/deliveries/{address}", summary="一个批次", **opened_to(*SENDERS))
def one_delivery(address: str, desk: OneDesk, caller: OneCaller) -> dict[str, Any]:
    """One delivery with the verdict on each file; ask again while its state is `waiting`."""
    return _said(desk, history.one(desk, caller, address)[0])


@router.get(
    "/deliveries/{address}/files/{n}/{kind}",
    summary="一份文件的回执或标注件",
    response_class=FileResponse,
    **opened_to(*SENDERS),
)
def one_report(
    address: str,
    n: int,
    kind: Literal["report.xlsx", "report.html", "marked.xlsx"],
    desk: OneDesk,
    caller: OneCaller,
    of: Annotated[Literal["newest", "first"], Query(description="Of the receipt, or the first verdict")] = (
        "newest"
    ),
) -> Response:
    """The report of a file, or its own lines with marks; of the receipt once a run has taken it."""
    told = history.one(desk, caller, address)[0]
    file = next((one for one in told["files"] if one["n"] == n), None)
    path = file and _report(desk, told["id"], file, _KINDS[kind][0], is_first=of == "first")
    if file is None or path is None or not path.is_file():
        raise ProblemError(404, "no-report", "没有这份报告", "this file has no such report, or none yet")
    # The marked copy holds values of persons, and a heading may be anything: durable before it is sent.
    desk.trail.write(caller, "report", f"{told['id']}/{n}", {"kind": kind, "sender": told["sender_code"]})
    ending, media_type = _KINDS[kind][1:]
    name = f"{Path(file['name'] or file['receipt_id']).stem}_{ending}"
    return FileResponse(path, media_type=media_type, filename=name, headers={"cache-control": "no-store"})


def _report(desk: Desk, address: str, file: dict[str, Any], kind: str, *, is_first: bool) -> Path | None:
    if file["final"] and not is_first:
        made = _written(desk, "report", receipt_id=file["receipt_id"])
        return Path(made[kind]) if kind in made else None
    if not file["verdict"] or file["verdict"]["is_at_door"]:
        return None
    names = {"xlsx": "{}.xlsx", "html": "{}.html", "marked": "{}_marked.xlsx"}
    folder = judged_folder(desk.folder, address)
    path = folder / names[kind].format(file["n"])
    if not path.is_file() and unwritten(folder, file["n"]).is_file():
        try:
            _written(desk, "write", into=str(folder), files=[file["n"]])
        except ProblemError:
            # The queue may have written it meanwhile, and taken away what it is made of.
            if not path.is_file():
                raise
    return path


def _written(desk: Desk, what: str, **told: Any) -> Any:
    try:
        return desk.ask(what, **told)
    except (DiedError, RuntimeError) as error:
        raise ProblemError(
            503, "no-report-now", "暂时无法生成报告", "the report could not be made now: ask again later"
        ) from error


@router.post(
    "/deliveries/{address}/withdrawal",
    summary="撤回批次",
    responses={**problems_told(409, 413)},
    **taking(8192, *SENDERS),
)
def withdraw(
    address: str,
    told: Annotated[Withdrawal, Body()],
    desk: OneDesk,
    caller: OneCaller,
) -> dict[str, Any]:
    """Nothing of it counts any more; what it had replaced counts again with the next run."""
    done = history.withdraw(desk, caller, address, told.reason.strip())
    desk.trail.write(caller, "withdraw", done["id"], {"sender": done["sender_code"]})
    return _said(desk, done)


@router.get("/templates/{name}", summary="报送模板", **opened_to(*EVERYBODY))
def template(name: str, desk: OneDesk) -> Response:
    """The workbook that a sender fills in: `pupil_roll.xlsx`."""
    contract = declare.load().get(name.removesuffix(".xlsx"))
    if contract is None or not name.endswith(".xlsx") or contract.feed not in desk.settings.feeds:
        raise ProblemError(404, "unknown-template", "没有这份模板", "there is no template of this name")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        write_template(contract, target)
        data = target.read_bytes()
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=_WORKBOOK, headers=headers)
