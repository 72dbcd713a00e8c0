"""Answers to failed requests: `application/problem+json` (RFC 9457) with a title in Chinese."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from portal.downloads import BusyError
from portal.models import Problem

_log = logging.getLogger(__name__)
RETRY_SECONDS = 5
_TITLES = {404: ("not-found", "没有这个地址"), 405: ("method-not-allowed", "不支持这种请求方法")}


@dataclass
class ProblemError(Exception):
    """Ends a request with a problem. `title` is Chinese and `detail` English; what is not given of the other
    language is made: an English title of the kind, a Chinese detail of the title.
    """

    status: int
    kind: str
    title: str
    detail: str
    title_en: str = ""
    detail_zh: str = ""


def answer(
    scope: Scope,
    status: int,
    kind: str,
    title: str,
    detail: str,
    title_en: str = "",
    detail_zh: str = "",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Response:
    """A problem response to a request. A reader who asks for a language has `title` and `detail` in it.

    `more`: further members, of which `instance` takes the place of the address that was asked.
    """
    title_en = title_en or kind.replace("-", " ").capitalize()
    detail_zh = detail_zh or title
    language = _language(Headers(scope=scope).get("accept-language", ""))
    problem = Problem(
        type=f"urn:edulake:problem:{kind}",
        title=title_en if language == "en" else title,
        title_zh=title,
        title_en=title_en,
        status=status,
        detail=detail_zh if language == "zh" else detail,
        detail_zh=detail_zh,
        detail_en=detail,
        instance=scope["path"],
        synthetic=scope["app"].state.library.is_synthetic,
    )
    headers = {"vary": "Accept-Language"}
    body = orjson.dumps({**problem.model_dump(), **more})
    return Response(body, status, headers, media_type="application/problem+json")


def _language(accepted: str) -> str:
    """`zh` or `en`, whichever the reader likes better; nothing where he names neither."""
    best, found = 0.0, ""
    for part in accepted.split(","):
        tag, _, weight = part.strip().lower().partition(";")
        try:
            liked = float(weight.partition("q=")[2] or 1)
        except ValueError:
            continue
        if tag[:2] in ("zh", "en") and liked > best:
            best, found = liked, tag[:2]
    return found


def handle(app: FastAPI) -> None:
    """Answer every error of a request to `app` with a problem."""

    @app.exception_handler(ProblemError)
    def ours(request: Request, error: ProblemError) -> Response:
        return answer(
            request.scope,
            error.status,
            error.kind,
            error.title,
            error.detail,
            error.title_en,
            error.detail_zh,
        )

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
        faults = error.errors()
        wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in faults)
        wrong_zh = "；".join(f"{fault['loc'][-1]}：{_in_chinese(fault)}" for fault in faults)
        return answer(request.scope, 422, "invalid-parameter", "参数不正确", wrong, detail_zh=wrong_zh)


_RULES_ZH = {
    "missing": "缺少这个参数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_parsing": "应为数值",
    "bool_parsing": "应为 true 或 false",
    "date_from_datetime_parsing": "应为日期，如 2025-09-01",
    "date_parsing": "应为日期，如 2025-09-01",
    "greater_than_equal": "不能小于 {ge}",
    "greater_than": "必须大于 {gt}",
    "less_than_equal": "不能大于 {le}",
    "less_than": "必须小于 {lt}",
    "string_too_short": "至少 {min_length} 个字",
    "string_too_long": "最多 {max_length} 个字",
    "string_pattern_mismatch": "格式不对，应符合 {pattern}",
    "literal_error": "只能是 {expected}",
    "enum": "只能是 {expected}",
    "json_invalid": "不是有效的 JSON",
    "extra_forbidden": "没有这个字段",
}


def _in_chinese(fault: Mapping[str, Any]) -> str:
    """What is wrong with a parameter. What was sent is not repeated."""
    rule = _RULES_ZH.get(fault["type"])
    return rule.format(**fault.get("ctx", {})) if rule else "不符合要求"
