"""The release that is served, what stands on the front page, and whether the service is well."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from portal import replies, selection
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import OneAsked, current, problems_told
from portal.library import Library
from portal.models import Cards, Health, Platforms, ReleaseInfo
from portal.problems import ProblemError
from portal.replies import API

router = APIRouter(prefix=API, responses={**problems_told(422, 503, 504)})


@router.get(
    "/release",
    summary="当前发布版本",
    response_model=ReleaseInfo,
    tags=["release"],
    **opened_to(*EVERYBODY),
)
async def release(asked: OneAsked) -> Response:
    """The release that is served."""
    noted = await run_in_threadpool(replies.notes, asked.snapshot)
    return await asked.answer(
        f"release, {len(noted)} notes", lambda of: replies.release_info(of, noted), lasts=False
    )


@router.get(
    "/cards",
    summary="四项决策服务的指标卡",
    response_model=Cards,
    tags=["services"],
    **opened_to(*EVERYBODY),
)
async def cards(asked: OneAsked) -> Response:
    """One card for each decision service: figure, definition, period, small chart."""
    return await asked.answer("cards", lambda of: replies.cards(of, selection.tables(of, asked.scope)))


@router.get(
    "/platforms",
    summary="三个平台的数据表清单",
    response_model=Platforms,
    tags=["platforms"],
    **opened_to(*EVERYBODY),
)
async def platforms(asked: OneAsked) -> Response:
    """The three platforms and the tables published on each."""
    return await asked.answer(
        "platforms", lambda of: replies.platforms(of, selection.tables(of, asked.scope))
    )


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


@router.get(
    "/healthz",
    summary="服务状态",
    response_model=Health,
    tags=["release"],
    responses={503: {"model": Health}},
    **opened_to(*EVERYBODY),
)
async def healthz(library: Annotated[Library, Depends(_library)]) -> Response:
    """Whether a release is served, whether it is the one that CURRENT names, whether its files are whole."""
    shelf = library.main
    try:
        snapshot = await current(shelf)
    except ProblemError:
        health = Health(
            status="unreadable" if shelf.fault else "no_release",
            release=None,
            synthetic=shelf.is_synthetic,
            fault=shelf.fault,
        )
        return Response(health.model_dump_json(), 503, media_type="application/json")
    damage = await run_in_threadpool(library.damage)
    status: Literal["ok", "stale", "damaged"] = "damaged" if damage else "stale" if shelf.fault else "ok"
    health = Health(
        status=status,
        release=snapshot.release.number,
        synthetic=snapshot.is_synthetic,
        fault=damage or shelf.fault,
    )
    return Response(health.model_dump_json(), 503 if damage else 200, media_type="application/json")
