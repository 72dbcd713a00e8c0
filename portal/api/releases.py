"""Releases: which are kept, what was noted of each, how it differs from the one before it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from jobs.access.caller import CITY, FULL
from jobs.declare.words import Text
from jobs.publish import contract, journal, kept
from jobs.publish.contract import Change
from jobs.publish.release import Release
from jobs.settings import Settings
from portal import replies, selection
from portal.access.gate import EVERYBODY, opened_to
from portal.asked import Asked, OneAsked, problems_told
from portal.models import Note
from portal.problems import ProblemError
from portal.replies import API

router = APIRouter(prefix=f"{API}/releases", tags=["release"], responses={**problems_told(404, 422, 503)})

Number = Annotated[int, Path(ge=1, le=10**9, description="版本号 Number of the release.")]


class KeptRelease(BaseModel):
    """A release that is kept. `names`: those that a person gave it."""

    release: int
    run_id: str
    as_of_date: str
    known_at: str
    published_at: str
    code_version: str
    compared_with: int | None
    is_current: bool
    synthetic: bool
    names: list[str]
    notes: list[Note]
    href: str


class Releases(BaseModel):
    """The releases that are kept, the newest first; `release` is the one that answers."""

    release: int
    synthetic: bool
    releases: list[KeptRelease]


class TableChange(BaseModel):
    """How a table differs from the release before. `level`: major, minor or patch."""

    table: str
    version: str | None
    level: str
    kind: str
    subject: str
    before: str
    after: str
    is_announced: bool
    zh: str
    en: str


class ReleaseChanges(BaseModel):
    """The changes of the tables that the caller may open, and the version of each."""

    release: int
    as_of_date: str
    synthetic: bool
    compared_with: int | None
    versions: dict[str, str]
    changes: list[TableChange]


@router.get("", summary="保留的版本", response_model=Releases, **opened_to(*EVERYBODY))
async def listed(request: Request, asked: OneAsked) -> Response:
    """Every release that is kept, the newest first."""
    settings: Settings = request.app.state.settings
    found = await run_in_threadpool(_kept, settings, asked)
    return await _answered(asked, {"releases": found})


@router.get("/{release_number}", summary="一个版本", response_model=KeptRelease, **opened_to(*EVERYBODY))
async def one(request: Request, asked: OneAsked, release_number: Number) -> Response:
    """One release that is kept."""
    found = await run_in_threadpool(_kept, request.app.state.settings, asked)
    told = next((one for one in found if one["release"] == release_number), None)
    if told is None:
        raise ProblemError(404, "unknown-release", "没有这个版本", f"release {release_number} is not kept")
    return await _answered(asked, told)


@router.get(
    "/{release_number}/changes",
    summary="与上一版本相比的变更",
    response_model=ReleaseChanges,
    **opened_to(*EVERYBODY),
)
async def changes(
    asked: OneAsked,
    release_number: Number,
    since: Annotated[
        int | None,
        Query(ge=1, le=10**9, description="与哪个版本比较 Compare with this one; else the one before."),
    ] = None,
) -> Response:
    """What changed in the tables that the caller may open: columns, meaning, members, values."""
    newer = await asked.of(release_number)
    older = None if since is None else (await asked.of(since)).snapshot.release
    return await newer.answer(f"changes since {since}", lambda _: _changes(newer, older))


async def _answered(asked: Asked, told: dict[str, Any]) -> Response:
    # Notes and names come at any time, so the answer is kept by what it says.
    return await asked.answer(repr(told), lambda of: replies.written(of, told), lasts=False)


def _kept(settings: Settings, asked: Asked) -> list[dict[str, Any]]:
    served = asked.request.app.state.library.shelf(asked.scope.audience).current().release.number
    named: dict[int, list[str]] = {}
    for name, number in kept.names(settings).items():
        named.setdefault(number, []).append(name)
    plain = ("run_id", "as_of_date", "known_at", "published_at", "code_version")
    return [
        {
            "release": found.number,
            **{name: found.manifest[name] for name in plain},
            "compared_with": found.manifest.get("compared_with"),
            "is_current": found.number == served,
            "synthetic": settings.is_synthetic or found.is_synthetic,
            "names": sorted(named.get(found.number, ())),
            "notes": [{"at": n.at, "note": n.note} for n in journal.notes(settings.releases, found.number)],
            "href": f"{API}/releases/{found.number}",
        }
        for found in kept.all_kept(settings)
    ]


def _changes(asked: Asked, older: Release | None) -> bytes:
    """Of the tables that are open to the caller; how many rows a whole table has is for those who see it."""
    release = asked.snapshot.release
    shown = selection.tables(asked.snapshot, asked.scope)
    if older is None:
        changed = [Change(**one) for one in release.manifest.get("changes", ())]
        before = release.manifest.get("compared_with")
    else:
        changed = contract.changes(older.manifest["tables"], release.manifest["tables"])
        before = older.number
    versions = {n: v for n, v in release.manifest.get("versions", {}).items() if n in shown}
    sees_all = asked.scope.audience in (FULL, CITY)
    told = [_told(one, versions, sees_all) for one in changed if one.table in shown]
    about = {"as_of_date": release.manifest["as_of_date"], "compared_with": before}
    return replies.written(asked.snapshot, {**about, "versions": versions, "changes": told})


def _told(change: Change, versions: dict[str, str], sees_all: bool) -> dict[str, Any]:
    if change.kind == "values" and not sees_all:
        words = Text("数值更新", "values corrected")
        change = replace(change, before="", after="")
    else:
        words = change.words()
    return {**asdict(change), "version": versions.get(change.table), "zh": words.zh, "en": words.en}
