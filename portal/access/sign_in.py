"""Signing in and out: the provider of identities, family codes, the people of a made-up city; who am I."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Annotated
from urllib.parse import parse_qs

import duckdb
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from jobs.access import codes, demonstration, sessions
from jobs.access.caller import FULL, Caller, Role, scope_of
from jobs.access.claims import NobodyError
from jobs.access.claims import caller as caller_by
from jobs.access.demonstration import Place
from jobs.access.trail import Trail
from jobs.publish import release as releases
from jobs.settings import Settings
from portal.access import gate, page
from portal.access.gate import EVERYBODY, OneCaller, opened_to, taking
from portal.access.keeper import SiteKeeper, address, check_origin
from portal.access.me import Me
from portal.access.people import Provider, ProviderError
from portal.problems import ProblemError
from portal.replies import API
from portal.snapshot import NoReleaseError

router = APIRouter()
_BODY = 4096
_UNKEPT = {"cache-control": "no-store"}
# Tries of one address, and of one code by its first signs: of those, five at once, then one in three minutes.
_TRIES = (1.0, 60.0)
_TRIES_OF_A_CODE = (1 / 180, 5.0)
_BROWSER = "edulake_signing_in"


def _keeper(request: Request) -> SiteKeeper:
    keeper = request.app.state.keeper
    if not isinstance(keeper, SiteKeeper):
        raise ProblemError(404, "no-sign-in", "本站点未开放登录", "nobody signs in here")
    return keeper


OneKeeper = Annotated[SiteKeeper, Depends(_keeper)]


@router.get("/sign-in", include_in_schema=False, **opened_to(*EVERYBODY))
def sign_in(request: Request, keeper: OneKeeper) -> HTMLResponse:
    """The page; it needs no script."""
    return _page(request, keeper)


def _page(request: Request, keeper: SiteKeeper, told: Iterable[str] = (), status: int = 200) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    sections = [*told]
    if keeper.is_good(request):
        sections.append(page.signed_in(keeper.caller(request), keeper.csrf(request)))
    if settings.sign_in is not None:
        sections.append(page.by_provider(settings.sign_in.button_zh))
    sections.append(page.by_code())
    if settings.is_synthetic:
        sections.append(page.by_demonstration(_people(request)))
    is_synthetic = request.app.state.library.is_synthetic
    html = page.page(settings.title_zh, settings.title_en, sections, is_synthetic=is_synthetic)
    return HTMLResponse(html, status, _UNKEPT)


@router.get("/sign-in/start", include_in_schema=False, **opened_to(*EVERYBODY))
async def start(request: Request, keeper: OneKeeper) -> Response:
    """Send the browser to the provider of identities."""
    keeper.limits.ask(f"try {address(request)}", *_TRIES)
    browser = secrets.token_urlsafe(24)
    try:
        there = await run_in_threadpool(_provider(request).begin, str(request.url_for("signed_in")), browser)
    except ProviderError as error:
        return _refused(request, keeper, "统一身份认证暂时无法使用，请稍后再试。", str(error), 503)
    response = RedirectResponse(there, 303)
    _set(request, response, _BROWSER, browser, seconds=600)
    return response


@router.get("/sign-in/back", name="signed_in", include_in_schema=False, **opened_to(*EVERYBODY))
async def signed_in(request: Request, keeper: OneKeeper) -> Response:
    """The provider sent the browser back."""
    provider, params = _provider(request), dict(request.query_params)
    settings: Settings = request.app.state.settings
    try:
        if "error" in params:
            raise ProviderError("the provider did not sign you in")
        browser = request.cookies.get(_BROWSER, "")
        claims = await run_in_threadpool(provider.finish, params, browser)
        assert settings.sign_in is not None
        caller = caller_by(settings.sign_in, claims)
    except ProviderError as error:
        _note_refusal(request, "provider")
        return _refused(request, keeper, "登录未完成，请重新登录。", str(error), 400)
    except NobodyError as error:
        _note_refusal(request, "no-role")
        return _refused(request, keeper, error.zh, error.en, 403)
    return await run_in_threadpool(_let_in, request, keeper, caller)


@router.post("/sign-in/code", include_in_schema=False, **taking(_BODY, *EVERYBODY))
async def by_code(request: Request, keeper: OneKeeper) -> Response:
    """A family types its code."""
    sent = codes.plain((await _form(request)).get("code", ""))
    keeper.limits.ask(f"try {address(request)}", *_TRIES)
    keeper.limits.ask(f"code {sent[:4]}", *_TRIES_OF_A_CODE)
    code = await run_in_threadpool(codes.found, keeper.store, sent)
    if code is None:
        await run_in_threadpool(_note_refusal, request, "code")
        return _refused(
            request,
            keeper,
            "查询码不正确或已失效，请向学校核实。",
            "the code is not good: ask the school",
            403,
        )
    return await run_in_threadpool(_let_in, request, keeper, code.caller)


@router.post("/sign-in/demonstration", include_in_schema=False, **taking(_BODY, *EVERYBODY))
async def by_demonstration(request: Request, keeper: OneKeeper) -> Response:
    """Somebody picks a person of a made-up city."""
    settings: Settings = request.app.state.settings
    if not settings.is_synthetic:
        raise ProblemError(404, "not-found", "没有这个地址", "only a made-up city has demonstration users")
    subject = (await _form(request)).get("subject", "")
    people = await run_in_threadpool(_people, request)
    if subject not in people:
        return _refused(request, keeper, "没有这个演示账号。", "there is no such demonstration user", 403)
    caller = people[subject]
    if caller.role == Role.FAMILY:
        pupil = codes.Pupil(caller.pupil_key, caller.unit_code, caller.district_code)
        caller = await run_in_threadpool(_code_of, keeper, pupil)
    return await run_in_threadpool(_let_in, request, keeper, caller)


@router.get("/sign-out", include_in_schema=False, **opened_to(*EVERYBODY))
def sign_out_page(request: Request, keeper: OneKeeper) -> HTMLResponse:
    """Who is signed in, with the way out: a link of another page signs nobody out."""
    return _page(request, keeper)


@router.post("/sign-out", include_in_schema=False, **taking(_BODY, *EVERYBODY))
async def sign_out(request: Request, keeper: OneKeeper) -> Response:
    """End the session; by the form of our page, or by a script with the session's header."""
    cookie = keeper.cookie_of(request)
    if cookie and keeper.is_good(request):
        sent = request.headers.get(keeper.csrf_header) or (await _form(request)).get("csrf_token", "")
        if not hmac.compare_digest(sent.encode(), keeper.csrf(request).encode()):
            raise ProblemError(403, "csrf-token-needed", "请刷新页面后重试", "send the session's token")
        await run_in_threadpool(sessions.end, keeper.store, cookie)
    response = RedirectResponse("/", 303)
    response.delete_cookie(keeper.cookie, path="/")
    return response


@router.get(f"{API}/me", summary="我是谁", response_model=Me, tags=["access"], **opened_to(*EVERYBODY))
def me(request: Request, caller: OneCaller) -> Response:
    """Who asks, what he sees, and what he may ask."""
    keeper, scope = request.app.state.keeper, scope_of(caller)
    may = [
        f"{method} {path}"
        for (method, path), roles in sorted(gate.rules(request.app).items())
        if caller.role in roles and path.startswith(API)
    ]
    told = Me(
        role=caller.role,
        role_zh=page.ROLES_ZH[caller.role],
        name=caller.name,
        subject=caller.subject,
        unit_code=caller.unit_code,
        district_code=caller.district_code,
        via=caller.via,
        audience=scope.audience if scope else None,
        school_code=scope.school_code if scope else "",
        sees_pupils=scope_of(caller, pupil_rows=True) is not None,
        abilities=sorted(caller.abilities) if caller.abilities is not None else None,
        may=may,
        can_sign_in=isinstance(keeper, SiteKeeper),
        csrf_token=keeper.csrf(request) if isinstance(keeper, SiteKeeper) else "",
        synthetic=request.app.state.library.is_synthetic,
    )
    return Response(told.model_dump_json(), media_type="application/json", headers=_UNKEPT)


def _provider(request: Request) -> Provider:
    settings: Settings = request.app.state.settings
    if settings.sign_in is None:
        raise ProblemError(404, "no-provider", "本站点未接入统一身份认证", "the site sets no `sign_in`")
    provider: Provider | None = getattr(request.app.state, "provider", None)
    if provider is None:
        provider = request.app.state.provider = Provider(settings.sign_in)
    return provider


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form of one of our own pages, the first of each name."""
    check_origin(request)
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


def _let_in(request: Request, keeper: SiteKeeper, caller: Caller) -> Response:
    """Begin a session under a new cookie: what a browser had before is of no use to whoever planted it."""
    _trail(request).write(caller, "signed-in", caller.subject)
    cookie = sessions.begin(keeper.store, caller, keeper.cookie_of(request))
    # Who only hands in has no business on the front page.
    response = RedirectResponse("/hand-in" if caller.role == Role.SENDER else "/", 303)
    _set(request, response, keeper.cookie, cookie)
    response.delete_cookie(_BROWSER, path="/sign-in")
    return response


def _set(request: Request, response: Response, name: str, text: str, seconds: int | None = None) -> None:
    response.set_cookie(
        name,
        text,
        max_age=seconds,
        path="/sign-in" if name == _BROWSER else "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _refused(request: Request, keeper: SiteKeeper, zh: str, en: str, status: int) -> Response:
    return _page(request, keeper, [page.notice(zh, en)], status)


def _note_refusal(request: Request, why: str) -> None:
    _trail(request).write(Caller(), "sign-in-refused", details={"why": why, "address": address(request)})


def _trail(request: Request) -> Trail:
    trail: Trail = request.app.state.trail
    return trail


def _code_of(keeper: SiteKeeper, pupil: codes.Pupil) -> Caller:
    """The family of a made-up pupil: by the code that is good, or a new one that nobody need type."""
    for code in codes.listed(keeper.store, pupil.school_code):
        if code.pupil_key == pupil.pupil_key and codes.is_good(code):
            return code.caller
    return codes.add(keeper.store, pupil, "demonstration")[0].caller


def _people(request: Request) -> dict[str, Caller]:
    """The people of a made-up city: of two districts of its release, each with a school and a pupil."""
    try:
        snapshot = request.app.state.library.shelf(FULL).current()
        with snapshot.asked() as cursor:
            places = [Place(*row) for row in cursor.execute(_PLACES).fetchall()]
    except (duckdb.Error, releases.ReleaseError, OSError, KeyError, NoReleaseError):
        # A release without these tables: the people who need none are there all the same.
        places = []
    return demonstration.people(places)


# One row a district, of the two that come first: its first school with tested pupils and the first of those.
_PLACES = """
with pupil as (
    select district_code, school_code, min(pupil_key) as pupil_key
    from rpt_services__fitness_report
    where school_code is not null
    group by district_code, school_code
)
select
    d.district_code, d.district_name_zh, s.school_code, s.school_name, pupil.pupil_key
from dim_district as d
join dim_school as s on d.district_code = s.district_code
join pupil on s.school_code = pupil.school_code and d.district_code = pupil.district_code
qualify row_number() over (partition by d.district_code order by s.school_code) = 1
order by d.district_code
limit 2
"""
