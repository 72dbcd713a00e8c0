"""Who asks: keys, sessions, family codes; what they may not do, and that revoking acts at once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from jobs.access import codes, keys, sessions, trail
from jobs.access.caller import Caller, Role
from jobs.access.store import open_store
from jobs.settings import UserError
from portal.access import gate
from portal.access.keeper import CSRF_HEADER
from portal.access.limits import Limits

from .conftest import HERE, PUPILS, SCHOOLS, Town

ME = "/api/v1/me"
SCHOOL = SCHOOLS["110101"][0]
PUPIL = codes.Pupil(PUPILS[SCHOOL][0], SCHOOL, "110101")


def bearer(portal: Town, text: str) -> TestClient:
    client = portal.client()
    client.headers["authorization"] = f"Bearer {text}"
    return client


def made(portal: Town, **told: object) -> tuple[keys.Key, str]:
    wanted = {"name": "machine", "role": Role.DISTRICT, "unit_code": "110101", **told}
    return keys.add(portal.keeper.store, keys.Wanted(**wanted), "test")  # type: ignore[arg-type]


def test_a_key_asks_for_its_unit_until_it_is_revoked_even_by_another_process(portal: Town) -> None:
    key, text = made(portal)
    client = bearer(portal, text)
    me = client.get(ME).json()
    assert (me["role"], me["unit_code"], me["via"]) == ("district", "110101", "key")
    assert me["audience"] == "district-110101"
    # Another connection, as `./edulake access key revoke` has.
    keys.revoke(open_store(portal.settings), key.id)
    refused = client.get(ME)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert text not in refused.text


@pytest.mark.parametrize("text", ["", "x", "edk_000000000000_secret", "edk_a_b_c", "é", "edk_" + "x" * 5000])
def test_what_is_no_key_opens_nothing(portal: Town, text: str) -> None:
    sent = {"authorization": f"Bearer {text}".encode()}
    assert portal.client().get(ME, headers=sent).status_code == 401


def test_only_the_hash_of_a_secret_is_kept(portal: Town) -> None:
    _, key = made(portal)
    _, code = codes.add(portal.keeper.store, PUPIL, "test")
    cookie = sessions.begin(portal.keeper.store, Caller(Role.CITY, "u"))
    kept = b"".join(file.read_bytes() for file in portal.keeper.store.path.parent.iterdir())
    for secret in (key.split("_", 2)[2], code.replace("-", "")[4:], cookie):
        assert secret.encode() not in kept
    assert {file.stat().st_mode & 0o077 for file in portal.keeper.store.path.parent.iterdir()} == {0}


def test_a_key_that_is_over_or_lacks_the_ability_is_refused(portal: Town) -> None:
    key, text = made(portal, days=1)
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    assert keys.found(portal.keeper.store, text) == key
    assert keys.found(portal.keeper.store, text, tomorrow) is None
    _, writer = made(portal, abilities=("write",))
    assert bearer(portal, writer).get(ME).status_code == 403
    for wrong in ({"role": Role.FAMILY}, {"unit_code": ""}, {"abilities": ("fly",)}, {"role": Role.SCHOOL}):
        with pytest.raises(UserError):
            made(portal, **wrong)


def test_a_key_that_asks_too_often_is_told_when_to_come_again(portal: Town) -> None:
    _, text = made(portal, per_minute=6)
    client = bearer(portal, text)
    assert client.get(ME).status_code == 200
    late = client.get(ME)
    assert late.status_code == 429
    assert 1 <= int(late.headers["retry-after"]) <= 10


def test_a_bucket_fills_again() -> None:
    limits = Limits()
    assert [limits.take("a", 50.0, 2.0) for _ in range(2)] == [0.0, 0.0]
    wait = limits.take("a", 50.0, 2.0)
    assert 0 < wait <= 0.02
    assert limits.take("b", 50.0, 2.0) == 0.0
    until = time.monotonic() + 5
    while limits.take("a", 50.0, 2.0) and time.monotonic() < until:
        pass
    assert time.monotonic() < until


def test_a_family_sees_its_pupil_by_a_code_until_that_is_revoked(portal: Town) -> None:
    code, text = codes.add(portal.keeper.store, PUPIL, "test")
    client = portal.client()
    refused = client.post("/sign-in/code", data={"code": text[:-1] + "?"})
    assert (refused.status_code, "查询码不正确" in refused.text) == (403, True)
    entered = client.post("/sign-in/code", data={"code": f" {text.lower().replace('-', ' ')} "})
    assert entered.status_code == 303
    me = client.get(ME).json()
    assert (me["role"], me["audience"], me["sees_pupils"]) == ("family", "public", True)
    assert PUPIL.pupil_key not in client.get(ME).text
    codes.revoke(open_store(portal.settings), code.prefix)
    assert client.get(ME).status_code == 401
    assert next(line["act"] for line in trail.lines(portal.settings, code.caller.subject)) == "signed-in"


def test_a_code_cannot_be_guessed(portal: Town) -> None:
    code, text = codes.add(portal.keeper.store, PUPIL, "test")
    answers = [
        portal.client().post("/sign-in/code", data={"code": f"{code.prefix}-GUES-S{i:03}-ABCD"}).status_code
        for i in range(6)
    ]
    assert answers[0] == 403
    assert answers[-1] == 429
    # Not even the right one, for now.
    assert portal.client().post("/sign-in/code", data={"code": text}).status_code == 429
    # A new code ends the one before.
    codes.add(portal.keeper.store, PUPIL, "test")
    assert codes.found(portal.keeper.store, text) is None


def test_a_session_ends_when_idle_and_when_it_is_old(portal: Town) -> None:
    now = datetime.now(UTC)
    store = portal.keeper.store
    cookie = sessions.begin(store, Caller(Role.CITY, "u"), now=now)
    assert sessions.found(store, cookie, now + sessions.IDLE - timedelta(minutes=1))
    assert sessions.found(store, cookie, now + sessions.IDLE) is None
    at = now
    while at < now + sessions.LONGEST:
        assert sessions.found(store, cookie, at)
        sessions.seen(store, [cookie], at)
        at += timedelta(minutes=50)
    assert sessions.found(store, cookie, now + sessions.LONGEST) is None
    again = sessions.begin(store, Caller(Role.CITY, "u"), cookie)
    assert again != cookie
    assert sessions.found(store, cookie) is None


def test_who_asks_stays_signed_in(portal: Town) -> None:
    began, store = datetime.now(UTC) - sessions.IDLE + timedelta(minutes=1), portal.keeper.store
    cookies = [sessions.begin(store, Caller(Role.CITY, f"u{n}"), now=began) for n in range(5)]
    for cookie in cookies:
        client = portal.client()
        client.cookies.set(portal.keeper.cookie, cookie)
        assert client.get("/api/v1/me").json()["role"] == "city"
    ends, later = time.monotonic() + 30, datetime.now(UTC) + timedelta(minutes=30)
    while not all(sessions.found(store, cookie, later) for cookie in cookies):
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({CSRF_HEADER: "guessed"}, 403),
        ({CSRF_HEADER: "own", "origin": "http://evil.example"}, 403),
        ({CSRF_HEADER: "own", "sec-fetch-site": "cross-site"}, 403),
        ({CSRF_HEADER: "own"}, 200),
        ({CSRF_HEADER: "own", "origin": HERE}, 200),
    ],
)
def test_a_write_by_cookie_comes_from_our_own_page(
    portal: Town, headers: dict[str, str], status: int
) -> None:
    if not any(getattr(route, "path", "") == "/api/v1/try" for route in portal.app.routes):
        portal.app.add_api_route(
            "/api/v1/try", lambda: {}, methods=["POST"], **gate.opened_to(*gate.OFFICIALS)
        )
    client = portal.signed_in(Caller(Role.CITY, "u"))
    own = client.get(ME).json()["csrf_token"]
    sent = {name: own if value == "own" else value for name, value in headers.items()}
    assert client.post("/api/v1/try", headers=sent).status_code == status
    # A key is sent on purpose, never by a browser on its own.
    _, text = made(portal, abilities=("write",))
    assert bearer(portal, text).post("/api/v1/try").status_code == 200


def test_signing_out_needs_the_token_and_ends_the_session(portal: Town) -> None:
    client = portal.signed_in(Caller(Role.CITY, "u"))
    assert client.post("/sign-out").status_code == 403
    token = client.get(ME).json()["csrf_token"]
    assert client.post("/sign-out", data={"csrf_token": token}).status_code == 303
    assert client.get(ME).json()["role"] == "public"


def test_a_session_that_is_over_is_the_public_on_a_page_and_refused_by_the_api(portal: Town) -> None:
    client = portal.client("no-such-session")
    assert client.get("/sign-in").status_code == 200
    assert client.get("/").status_code == 200
    over = client.get(ME)
    assert over.status_code == 401
    # The browser forgets it, so that the next answer is the public's.
    assert "max-age=0" in over.headers["set-cookie"].lower()
    assert client.get(ME).json()["role"] == "public"


def test_a_made_up_city_has_people_to_try_and_the_cookie_is_safe(portal: Town) -> None:
    client = portal.client()
    page = client.get("/sign-in").text
    for subject in ("demo-city", "demo-district-110101", "demo-district-110105", f"demo-school-{SCHOOL}"):
        assert subject in page
    assert not any(pupil in page for of in PUPILS.values() for pupil in of)
    entered = client.post("/sign-in/demonstration", data={"subject": f"demo-family-{SCHOOL}"})
    told = entered.headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=lax" in told
    assert client.get(ME).json()["role"] == "family"
    foreign = client.post(
        "/sign-in/demonstration", data={"subject": "demo-city"}, headers={"origin": "http://x.example"}
    )
    assert foreign.status_code == 403
    assert client.post("/sign-in/demonstration", data={"subject": "root"}).status_code == 403


def test_finding_who_asks_costs_little(portal: Town) -> None:
    from starlette.requests import Request

    cookie = sessions.begin(portal.keeper.store, Caller(Role.CITY, "fast"))
    header = (b"cookie", f"{portal.keeper.cookie}={cookie}".encode())
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/cards",
        "headers": [header],
        "client": ("1.2.3.4", 1),
    }
    portal.keeper.caller(Request(dict(scope)))
    reads = portal.keeper.store.rows
    try:
        portal.keeper.store.rows = None  # type: ignore[assignment,method-assign]
        for _ in range(100):
            assert portal.keeper.caller(Request(dict(scope))).subject == "fast"
    finally:
        portal.keeper.store.rows = reads  # type: ignore[method-assign]
