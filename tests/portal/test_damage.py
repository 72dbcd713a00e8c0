"""A release whose pointer, manifest or file is damaged: a word and 503, never `ok` and never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
from jobs.settings import Settings, UserError
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.serve import serve

OFFICIAL = Caller(Role.CITY, "official")

Publish = Callable[..., Release]
TABLE = "/api/v1/tables/fct_school_fitness?limit=1000"


def client_of(settings: Settings) -> TestClient:
    return TestClient(
        create_app(settings, EverybodyIs(OFFICIAL)),
        base_url="http://127.0.0.1",
        raise_server_exceptions=False,
    )


def overwrite(path: Path) -> None:
    """Everything behind the headers, so that the catalog opens or not and no row can be read."""
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(data[:12288] + b"\xee" * (len(data) - 12288))


@pytest.mark.parametrize("is_open", [False, True], ids=["before it is opened", "while it is served"])
def test_a_damaged_city_file_is_not_ok(settings: Settings, publish: Publish, is_open: bool) -> None:
    release = publish(1)
    with client_of(settings) as client:
        if is_open:
            assert client.get("/api/v1/healthz").json()["status"] == "ok"
        overwrite(release.file("city"))
        health = client.get("/api/v1/healthz")
        assert health.status_code == 503
        assert health.json()["status"] == ("damaged" if is_open else "unreadable")
        assert health.json()["fault"]
        answer = client.get(TABLE)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text


def test_rows_that_cannot_be_read_are_told_and_found(settings: Settings, publish: Publish) -> None:
    """One block of the file is bad: it opens, counts its rows, and cannot be read."""
    release = publish(1)
    path = release.file("city")
    path.chmod(0o600)
    data = path.read_bytes()
    name = "北京市第17小学".encode()
    assert name in data
    path.write_bytes(data.replace(name, name[::-1]))
    with client_of(settings) as client:
        assert client.get("/api/v1/release").status_code == 200
        health = client.get("/api/v1/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "damaged")
        assert "city.duckdb was changed" in health.json()["fault"]
        answer = client.get(TABLE)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:edulake:problem:damaged-file")
        assert "已损坏" in answer.json()["title"]


@pytest.mark.parametrize("name", ["CURRENT", "1/manifest.json"])
@pytest.mark.parametrize(
    "garbage", [b"garbage", b"", b"{}", b"[1]", b'{"release": "../1"}', b'{"release": 9}']
)
def test_a_pointer_or_manifest_of_garbage_is_a_word(
    settings: Settings, publish: Publish, name: str, garbage: bytes
) -> None:
    publish(1)
    file = settings.releases / name
    file.chmod(0o600)
    file.write_bytes(garbage)
    with pytest.raises(UserError) as raised:
        serve(settings, 0)
    assert "lake repair" in raised.value.way_out
    with client_of(settings) as client:
        assert client.get("/api/v1/healthz").status_code == 503
        assert client.get("/api/v1/cards").json()["status"] == 503


def test_the_release_before_goes_on_while_the_pointer_is_garbage(
    settings: Settings, publish: Publish
) -> None:
    publish(1)
    with client_of(settings) as client:
        assert client.get("/api/v1/healthz").json()["status"] == "ok"
        (settings.releases / "CURRENT").write_bytes(b"garbage")
        assert client.get("/api/v1/healthz").json()["status"] == "stale"
        assert client.get(TABLE).status_code == 200
