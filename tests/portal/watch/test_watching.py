"""What the portal tells of itself: requests by their route, and nothing that was sent."""

from __future__ import annotations

import errno
import math
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from jobs.access.caller import Caller, Role
from jobs.settings import ROOT, Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.watch.log import NAME, AccessLog

CITY = Caller(Role.CITY, "u-17", "张三", via="session")
HERE = ("127.0.0.1", 50000)
SERVE = """
import sys
from jobs import settings
from portal.serve import serve

serve(settings.load("beijing", sys.argv[1]), 0)
"""


def client(settings: Settings, caller: Caller = CITY, at: tuple[str, int] = HERE) -> TestClient:
    return TestClient(create_app(settings, EverybodyIs(caller)), base_url="http://127.0.0.1", client=at)


def figures(one: TestClient) -> dict[tuple[str, ...], float]:
    told = one.get("/metrics")
    assert told.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_status_and_role(published: Settings) -> None:
    with client(published) as one:
        for path in ("dim_school", "dim_school?limit=3", "no_such_table"):
            one.get(f"/api/v1/tables/{path}")
        one.head("/")
        one.get("/3f2b-a-pupil")
        one.request("WRONG", "/api/v1/cards")
        told = figures(one)
    table = "/api/v1/tables/{name}"
    assert told["edulake_requests_total", "GET", "city", table, "200"] == 2
    assert told["edulake_requests_total", "GET", "city", table, "404"] == 1
    assert told["edulake_requests_total", "HEAD", "city", "/", "200"] == 1
    assert told["edulake_requests_total", "GET", "", "(none)", "404"] == 1
    assert told["edulake_requests_total", "other", "", "/api/v1/cards", "405"] == 1
    assert told["edulake_request_seconds_count", table] == 3
    assert not any("a-pupil" in word for key in told for word in key)


def test_a_part_that_cannot_tell_hides_no_other(published: Settings) -> None:
    with client(published) as one:

        def broken() -> float:
            raise OSError(errno.ENOSPC, "no space")

        watching = one.app.state.watching  # type: ignore[attr-defined]
        watching.figures.gauge("broken_queue", "Broken", broken)
        watching.figures.gauge("sound_queue", "Sound", lambda: 3)
        told = figures(one)
    assert math.isnan(told[("edulake_broken_queue",)])
    assert (told[("edulake_sound_queue",)], told[("edulake_audit_queue",)]) == (3, 0)


def test_releases_and_kept_replies_are_told(published: Settings) -> None:
    with client(published) as one:
        for _ in range(3):
            one.get("/api/v1/cards", headers={"accept-encoding": "identity"})
        told = figures(one)
    assert told["edulake_release", "city"] == 1
    assert told["edulake_release_age_seconds", "city"] >= 0
    assert told[("edulake_open_snapshots",)] == 1
    assert (told[("edulake_kept_reply_hits_total",)], told[("edulake_kept_reply_misses_total",)]) == (2, 1)
    assert told[("edulake_kept_reply_bytes",)] > 1000


@pytest.mark.parametrize(
    ("caller", "at", "headers", "status"),
    [
        (CITY, HERE, {}, 200),
        (CITY, ("10.1.2.3", 50000), {}, 403),
        (Caller(Role.STEWARD, "s", via="session"), ("10.1.2.3", 50000), {}, 403),
        (Caller(Role.CITY, "k", via="key", abilities=frozenset({"metrics"})), ("10.1.2.3", 1), {}, 200),
        (Caller(Role.CITY, "k", via="key", abilities=frozenset({"read"})), ("10.1.2.3", 1), {}, 403),
        (CITY, HERE, {"x-forwarded-for": "10.1.2.3"}, 403),
        (CITY, HERE, {"forwarded": "for=10.1.2.3"}, 403),
        (CITY, HERE, {"host": "edu.example"}, 403),
        (CITY, ("testclient", 1), {}, 403),
    ],
)
def test_figures_are_for_this_machine_or_a_key(
    published: Settings, caller: Caller, at: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    app = create_app(published, EverybodyIs(caller), hosts=("127.0.0.1", "edu.example"))
    with TestClient(app, base_url="http://127.0.0.1", client=at) as one:
        assert one.get("/metrics", headers=headers).status_code == status


def test_it_lives_before_it_is_ready(settings: Settings, published: Settings) -> None:
    with client(settings) as one:
        assert one.get("/healthz").json() == {"status": "ok"}
        not_yet = one.get("/readyz")
        assert (not_yet.status_code, not_yet.json()["checks"]["release"]) == (503, False)
    app = create_app(published, EverybodyIs(CITY))
    with TestClient(app, base_url="http://127.0.0.1") as one:
        assert one.get("/readyz").json()["status"] == "ready"
        app.state.watching.is_ready["queue"] = lambda: "the disk is full"
        told = one.get("/readyz")
        assert (told.status_code, told.json()["checks"]["queue"]) == (503, False)
        assert "disk" not in told.text


def test_a_landing_that_cannot_be_written_is_not_ready(published: Settings, tmp_path: Path) -> None:
    from dataclasses import replace

    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    with client(replace(published, landing=in_the_way / "landing")) as one:
        told = one.get("/readyz")
        assert (told.status_code, told.json()["checks"]) == (
            503,
            {"release": True, "landing": False, "store": True, "trail": True},
        )


def test_the_log_has_a_line_per_request_and_nothing_that_was_sent(
    published: Settings, tmp_path: Path
) -> None:
    app = create_app(published, EverybodyIs(CITY))
    app.state.watching.log_to(AccessLog(tmp_path))
    secret = "21110-zhang-san"
    with TestClient(app, base_url="http://127.0.0.1") as one:
        one.get("/api/v1/tables/dim_school", params={"limit": 7})
        one.get(f"/api/v1/tables/{secret}", params={"cursor": secret})
        one.get(f"/{secret}", headers={"authorization": secret, "user-agent": secret, "cookie": secret})
        one.request(secret[:5] + secret, "/api/v1/cards", headers={"host": secret})
    app.state.watching.end()
    text = (tmp_path / NAME).read_text(encoding="utf-8")
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines] == [200, 422, 404, 421]
    assert lines[0]["route"] == "/api/v1/tables/{name}"
    assert (lines[0]["role"], lines[0]["release"]) == ("city", 1)
    assert lines[0]["bytes"] > 100
    assert secret not in text
    assert "u-17" not in text


def test_the_log_is_rotated_and_a_full_disk_costs_lines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AccessLog(tmp_path, size=100_000, files=2)
    for _ in range(5):
        for number in range(2000):
            log.add({"route": "/", "number": number})
        log._write()
    assert sorted(file.name for file in tmp_path.iterdir()) == [NAME, f"{NAME}.1", f"{NAME}.2"]

    def full(text: str) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(log._file.stream, "write", full)
    log.add({"route": "/"})
    log.close()
    assert log.dropped == 1


def test_what_waits_is_written_when_the_server_is_told_to_end(published: Settings) -> None:
    log = published.logs / NAME
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(published.home.parent)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        before = log.read_text().count("\n") if log.exists() else 0
        for _ in range(5):
            assert httpx.get(f"{address}healthz").status_code == 200
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    assert log.read_text().count("\n") == before + 5
