"""What one request may read: who asks, his scope, and one snapshot of one release; and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from jobs.access.caller import Caller, Scope, scope_of
from jobs.settings import UserError
from portal import encodings
from portal.access.gate import OneCaller
from portal.kept import may_keep
from portal.library import Library
from portal.problems import ProblemError
from portal.replies import API
from portal.snapshot import NoReleaseError, ReleaseGoneError, Reply, Shelf, Snapshot


@dataclass(frozen=True)
class Asked:
    """One request: everything that its answer may be made of."""

    request: Request
    caller: Caller
    scope: Scope
    snapshot: Snapshot

    async def answer(
        self, key: str, make: Callable[[Snapshot], bytes | Reply], *, lasts: bool = True
    ) -> Response:
        """The JSON that `make` writes, compressed as asked; kept under `key` for callers of one scope.

        `lasts`: the answer depends on the address, its headers and the release, and on nothing else.
        """
        if lasts:
            may_keep(self.request.scope, self.snapshot)
        own = f"{self.scope.tag} {key}"
        encoding = encodings.chosen(self.request.headers.get("accept-encoding", ""))
        reply = self.snapshot.kept(f"{own} {encoding}")
        if reply is None:
            reply = await run_in_threadpool(self.snapshot.reply, own, make, encoding)
        response = self.respond(reply.body, reply.etag)
        if reply.encoding and response.status_code != 304:
            response.headers["content-encoding"] = reply.encoding
        if reply.link:
            response.headers["link"] = f'<{reply.link}>; rel="next"'
        return response

    def respond(self, body: bytes, etag: str, media_type: str = "application/json") -> Response:
        """A body with the headers of its release; 304 where the reader has it already."""
        headers = self.headers(etag)
        if self.is_known(etag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    def headers(self, etag: str) -> dict[str, str]:
        """What every answer from a release says of it."""
        return {
            "etag": etag,
            "x-data-release": str(self.snapshot.release.number),
            "cache-control": "private, no-cache",
            "vary": "Authorization, Cookie, Accept, Accept-Encoding",
        }

    def is_known(self, etag: str) -> bool:
        """Whether the reader has this body already."""
        asked = self.request.headers.get("if-none-match", "")
        return bool(asked) and (
            "*" in asked or etag in (t.strip().removeprefix("W/") for t in asked.split(","))
        )

    async def of(self, number: int) -> Asked:
        """The same question to another release. Raises ProblemError for one that is gone."""
        if number == self.snapshot.release.number:
            return self
        shelf = self.request.app.state.library.shelf(self.scope.audience)
        return replace(self, snapshot=await run_in_threadpool(pinned, shelf, number))


async def _asked(request: Request, caller: Caller, number: int | None, *, pupil_rows: bool) -> Asked:
    scope = scope_of(caller, pupil_rows)
    if scope is None:
        raise ProblemError(403, "not-in-scope", "不在您的数据范围内", "no file is open to this caller")
    # What the trail tells of this read.
    request.state.scope = scope
    library: Library = request.app.state.library
    shelf = library.shelf(scope.audience)
    snapshot = await (current(shelf) if number is None else run_in_threadpool(pinned, shelf, number))
    return Asked(request, caller, scope, snapshot)


Pinned = Annotated[int | None, Query(ge=1, alias="release", description="A release by its number.")]


async def _of_release(request: Request, caller: OneCaller, number: Pinned = None) -> Asked:
    return await _asked(request, caller, number, pupil_rows=False)


async def _of_pupils(request: Request, caller: OneCaller, number: Pinned = None) -> Asked:
    return await _asked(request, caller, number, pupil_rows=True)


# What a route takes: the release for its caller, or the rows about single pupils that he may see.
OneAsked = Annotated[Asked, Depends(_of_release)]
AskedOfPupils = Annotated[Asked, Depends(_of_pupils)]


async def current(shelf: Shelf) -> Snapshot:
    """The release that is served. Raises ProblemError where there is none."""
    try:
        snapshot = shelf.unchanged()
        return snapshot if snapshot is not None else await run_in_threadpool(shelf.current)
    except NoReleaseError as error:
        raise no_release(shelf) from error


def pinned(shelf: Shelf, number: int) -> Snapshot:
    """A release by its number. Raises ProblemError for one that was never published or is gone."""
    try:
        return shelf.of(number)
    except NoReleaseError as error:
        raise no_release(shelf) from error
    except ReleaseGoneError as error:
        raise ProblemError(
            410, "release-gone", "该版本已不再保留", f"release {number} is kept no longer: begin anew"
        ) from error
    except UserError as error:
        raise _unreadable(f"release {number} is held by another program: ask again later") from error
    except KeyError as error:
        raise ProblemError(
            404, "unknown-release", "没有这个版本", f"release {number} was never published"
        ) from error


def no_release(shelf: Shelf) -> ProblemError:
    """Why nothing can be read now."""
    if shelf.fault:
        return _unreadable(f"the published release cannot be opened now: {API}/healthz says why")
    return ProblemError(
        503, "no-release", "尚未发布任何版本", "nothing is published yet; `./edulake run` makes a release"
    )


def _unreadable(detail: str) -> ProblemError:
    return ProblemError(503, "release-unreadable", "已发布的版本暂时无法打开", detail)


def problems_told(*statuses: int) -> Mapping[int | str, Any]:
    """The problems of a route, for OpenAPI."""
    from http import HTTPStatus

    from portal.models import Problem

    return {s: {"model": Problem, "description": HTTPStatus(s).phrase} for s in statuses}
