"""Whether the portal lives, whether it can do its work, and its figures."""

from __future__ import annotations

import tempfile
from ipaddress import ip_address
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import generate_latest
from starlette.concurrency import run_in_threadpool

from jobs.access import trail
from jobs.settings import Settings
from portal.access.gate import EVERYBODY, OneCaller, opened_to
from portal.library import Library
from portal.models import Alive, Ready
from portal.problems import ProblemError
from portal.snapshot import NoReleaseError
from portal.watch.watching import Watching

ABILITY = "metrics"
_FROM_A_PROXY = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
router = APIRouter(tags=["watch"])


@router.get("/healthz", summary="进程是否存活", response_model=Alive, **opened_to(*EVERYBODY))
async def alive() -> Alive:
    """The process answers. Whether what it serves is whole: `/api/v1/healthz`."""
    return Alive(status="ok")


@router.get(
    "/readyz",
    summary="能否提供服务",
    response_model=Ready,
    responses={503: {"model": Ready}},
    **opened_to(*EVERYBODY),
)
async def ready(request: Request) -> Response:
    """A release is open, and what is handed in can be kept. By name only: what is wrong stands in the log."""
    checks = await run_in_threadpool(_checks, request)
    told = Ready(status="ready" if all(checks.values()) else "not_ready", checks=checks)
    return Response(
        told.model_dump_json(), 200 if told.status == "ready" else 503, media_type="application/json"
    )


@router.get("/metrics", summary="运行指标（Prometheus）", response_class=Response, **opened_to(*EVERYBODY))
async def metrics(request: Request, caller: OneCaller) -> Response:
    """The portal's figures, told to this machine or to a key that may `metrics`."""
    if not (_is_from_here(request) or ABILITY in (caller.abilities or ())):
        raise ProblemError(
            403,
            "metrics-closed",
            "仅限本机或具有 metrics 权限的密钥",
            "for this machine, or a key for metrics",
        )
    watching: Watching = request.app.state.watching
    told = await run_in_threadpool(generate_latest, watching.figures.registry)
    return Response(told, media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_from_here(request: Request) -> bool:
    """Whether somebody on this machine asks, and no proxy on it for somebody else."""
    try:
        near = request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    named = request.headers.get("host", "").rpartition(":")
    host = named[0] if named[2].isdigit() else request.headers.get("host", "")
    return near and host in _OWN_NAMES and not any(name in request.headers for name in _FROM_A_PROXY)


def _checks(request: Request) -> dict[str, bool]:
    settings: Settings = request.app.state.settings
    library: Library = request.app.state.library
    watching: Watching = request.app.state.watching
    checks = {
        "release": _serves(library),
        "landing": _is_writable(settings.landing),
        "store": _is_writable(settings.home / "access"),
        "trail": _is_writable(trail.folder(settings)),
    }
    return checks | {name: check() is None for name, check in watching.is_ready.items()}


def _serves(library: Library) -> bool:
    try:
        library.main.current()
    except NoReleaseError:
        return False
    return True


def _is_writable(folder: Path) -> bool:
    # Root passes every permission bit and a mount may still refuse: only a file tells.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"edulake")
    except OSError:
        return False
    return True
