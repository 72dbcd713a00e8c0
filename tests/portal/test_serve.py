"""Serving on loopback: an address that answers, and errors that a person can act on."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
from jobs.settings import ROOT, Settings, UserError
from portal import snapshot
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.serve import serve

from ..holding import held

OFFICIAL = Caller(Role.CITY, "official")
SERVE = """
import sys
from jobs import settings
from portal.serve import serve

serve(settings.load("beijing", sys.argv[1]), 0)
"""


def test_it_answers_at_the_address_it_says_until_it_is_interrupted(published: Settings) -> None:
    home = str(published.home.parent)
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, home], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address).status_code == 200
        assert httpx.get(f"{address}api/v1/healthz").json()["status"] == "ok"
        open_sockets = psutil.Process(server.pid).net_connections("tcp")
        listening = {one.laddr.ip for one in open_sockets if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        server.send_signal(signal.SIGINT)
        server.wait(30)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_an_occupied_port_names_itself_and_the_option(published: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError) as told:
            serve(published, port)
    assert f"port {port}" in told.value.message
    assert "--port" in told.value.way_out


def test_a_port_that_cannot_be_is_told(published: Settings) -> None:
    with pytest.raises(UserError, match="port 70000"):
        serve(published, 70000)


def test_serving_without_a_release_says_how_to_make_one(settings: Settings) -> None:
    with pytest.raises(UserError) as told:
        serve(settings, 0)
    assert "./edulake run --site beijing" in told.value.way_out


def test_a_release_that_another_program_holds_is_told_at_the_start(
    publish: Callable[..., Release], settings: Settings
) -> None:
    file = publish(1).folder / "city.duckdb"
    with held(file) as pid, pytest.raises(UserError) as told:
        serve(settings, 0)
    assert f"{file} is locked by " in told.value.message
    assert f"process {pid}" in told.value.message


def test_a_held_release_is_not_called_unpublished_and_is_opened_when_it_is_free(
    publish: Callable[..., Release], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_RETRY_SECONDS", 0.0)
    first = publish(1)
    app = create_app(settings, EverybodyIs(OFFICIAL))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        with held(first.folder / "city.duckdb") as pid:
            answer = client.get("/api/v1/cards")
            assert (answer.status_code, answer.json()["type"]) == (
                503,
                "urn:edulake:problem:release-unreadable",
            )
            health = client.get("/api/v1/healthz")
            assert (health.status_code, health.json()["status"]) == (503, "unreadable")
            assert f"process {pid}" in health.json()["fault"]
        assert client.get("/api/v1/cards").headers["x-data-release"] == "1"
        page = client.get("/api/v1/tables/dim_school?limit=5").json()["next"]

        # A newer one is held: the one before it goes on.
        with held(publish(2).folder / "city.duckdb") as pid:
            assert client.get("/api/v1/cards").headers["x-data-release"] == "1"
            health = client.get("/api/v1/healthz")
            assert (health.status_code, health.json()["status"]) == (200, "stale")
            assert f"process {pid}" in health.json()["fault"]
        assert client.get("/api/v1/cards").headers["x-data-release"] == "2"

    # A page of an older release is asked for while that one is held.
    with TestClient(create_app(settings, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1") as client:
        with held(first.folder / "city.duckdb"):
            assert client.get(page).json()["type"] == "urn:edulake:problem:release-unreadable"
        assert client.get(page).headers["x-data-release"] == "1"
