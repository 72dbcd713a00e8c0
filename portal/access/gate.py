"""The rule of a route: which roles may ask it. A route without a rule keeps the application from starting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import Scope

from jobs.access.caller import ANYBODY, Caller, Role
from portal.problems import ProblemError

_RULE = "x-roles"
_BODY = "x-body-bytes"
EVERYBODY = tuple(Role)
SIGNED_IN = tuple(role for role in Role if role != Role.PUBLIC)
OFFICIALS = (Role.DISTRICT, Role.CITY, Role.STEWARD)
SENDERS = (Role.SENDER, Role.SCHOOL, Role.DISTRICT, Role.CITY, Role.STEWARD)


class Keeper(Protocol):
    """Says who asks. Raises ProblemError for a session, key or code that is not good."""

    def caller(self, asked: HTTPConnection) -> Caller: ...

    def knows(self, subject: str) -> bool:
        """Whether a key or a session of this subject is still good."""
        ...


class EverybodyIs:
    """A keeper for whom each request comes from the same caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def caller(self, asked: HTTPConnection) -> Caller:
        return self._caller

    def knows(self, subject: str) -> bool:
        return subject == self._caller.subject


async def caller_of(request: Request) -> Caller:
    """Who asks this request, found once."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        keeper: Keeper = request.app.state.keeper
        known = request.state.caller = keeper.caller(request)
    return known


OneCaller = Annotated[Caller, Depends(caller_of)]


class _Gate:
    def __init__(self, roles: tuple[Role, ...]) -> None:
        self.roles = roles

    async def __call__(self, caller: OneCaller) -> None:
        if caller.role in self.roles:
            return
        if caller == ANYBODY:
            raise ProblemError(401, "sign-in-needed", "请先登录", "sign in, or send a key")
        raise ProblemError(403, "not-for-this-role", "您的身份无权访问", f"open to: {', '.join(self.roles)}")


def opened_to(*roles: Role) -> dict[str, Any]:
    """The rule of a route, as arguments of its decorator: `**opened_to(*OFFICIALS)`."""
    return {"dependencies": [Depends(_Gate(roles))], "openapi_extra": {_RULE: [str(role) for role in roles]}}


def taking(most: int, *roles: Role) -> dict[str, Any]:
    """The rule of a route that takes a body of at most `most` bytes; every other route takes none."""
    given = opened_to(*roles)
    return {**given, "openapi_extra": {**given["openapi_extra"], _BODY: most}}


def most_bytes(scope: Scope) -> int:
    """How large a body the route of a request takes; 0 for none."""
    for route in scope["app"].routes:
        most = (route.openapi_extra or {}).get(_BODY) if isinstance(route, APIRoute) else None
        if most and route.matches(scope)[0] == Match.FULL:
            return int(most)
    return 0


def rules(app: FastAPI) -> Mapping[tuple[str, str], tuple[Role, ...]]:
    """(method, path) -> the roles that may ask it, of all routes of the API. Raises ValueError for a route
    without a rule.
    """
    found: dict[tuple[str, str], tuple[Role, ...]] = {}
    for route in app.routes:
        if not isinstance(route, APIRoute):
            continue
        gates = [one.call.roles for one in route.dependant.dependencies if isinstance(one.call, _Gate)]
        if len(gates) != 1:
            raise ValueError(f"{route.path} has {len(gates)} rules: give it one by `opened_to`")
        found |= {(method, route.path): gates[0] for method in route.methods}
    return found
