"""Answers to failed requests: `application/problem+json` (RFC 9457) with a title in Chinese."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import duckdb
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from portal.downloads import BusyError
from portal.models import Problem

_log = logging.getLogger(__name__)
RETRY_SECONDS = 5
_TITLES = {404: ("not-found", "没有这个地址"), 405: ("method-not-allowed", "不支持这种请求方法")}


@dataclass
class ProblemError(Exception):
    """Ends a request with a problem."""

    status: int
    kind: str
    title: str
    detail: str


def answer(scope: Scope, status: int, kind: str, title: str, detail: str) -> Response:
    """A problem response to a request."""
    problem = Problem(
        type=f"urn:edulake:problem:{kind}",
        title=title,
        status=status,
        detail=detail,
        instance=scope["path"],
        synthetic=scope["app"].state.library.is_synthetic,
    )
    return Response(problem.model_dump_json(), status, media_type="application/problem+json")


def handle(app: FastAPI) -> None:
    """Answer every error of a request to `app` with a problem."""

    @app.exception_handler(ProblemError)
    def ours(request: Request, error: ProblemError) -> Response:
        return answer(request.scope, error.status, error.kind, error.title, error.detail)

    @app.exception_handler(BusyError)
    @app.exception_handler(duckdb.OutOfMemoryException)
    def busy(request: Request, error: Exception) -> Response:
        response = answer(
            request.scope, 503, "busy", "服务正忙，请稍后再试", "too much is asked at once: ask again"
        )
        response.headers["retry-after"] = str(RETRY_SECONDS)
        return response

    @app.exception_handler(duckdb.InterruptException)
    def too_long(request: Request, error: Exception) -> Response:
        return answer(
            request.scope,
            504,
            "query-timeout",
            "查询时间过长，已中止",
            "the query took too long and was ended: ask for fewer rows",
        )

    @app.exception_handler(duckdb.Error)
    def damaged(request: Request, error: duckdb.Error) -> Response:
        # What is asked is fixed, so the file itself cannot be read; its text might quote what it holds.
        _log.error("%s: %s", request.url.path, error)
        title, detail = "数据文件已损坏，暂时无法读取", "the release's file is damaged: ./edulake lake check"
        return answer(request.scope, 503, "damaged-file", title, detail)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        kind, title = _TITLES.get(error.status_code, ("http-error", "请求未能完成"))
        response = answer(request.scope, error.status_code, kind, title, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may be anything.
        wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return answer(request.scope, 422, "invalid-parameter", "参数不正确", wrong)
