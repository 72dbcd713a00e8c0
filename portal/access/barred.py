"""A problem that carries headers: where to sign in, when to come again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response

from portal import problems
from portal.problems import ProblemError


@dataclass
class BarredError(ProblemError):
    """Ends a request of somebody who is not let in now."""

    headers: Mapping[str, str] = field(default_factory=dict)


def handle(app: FastAPI) -> None:
    """Answer these with their headers."""

    @app.exception_handler(BarredError)
    def barred(request: Request, error: BarredError) -> Response:
        response = problems.answer(request.scope, error.status, error.kind, error.title, error.detail)
        response.headers.update(error.headers)
        return response


def too_often(seconds: float) -> BarredError:
    """The problem of somebody who asks too often."""
    wait = str(math.ceil(seconds))
    detail = f"ask again in {wait} seconds"
    return BarredError(429, "too-often", "请求过于频繁，请稍后再试", detail, headers={"retry-after": wait})
