"""A school hands out codes for its own pupils and takes them back."""

from __future__ import annotations

from fastapi.testclient import TestClient

from jobs.access import trail
from portal.access.keeper import CSRF_HEADER

from .conftest import PUPILS, SCHOOLS, Town, callers

CODES = "/api/v1/family-codes"
FIRST, SECOND = SCHOOLS["110101"]
ABROAD = SCHOOLS["110105"][0]


def school(portal: Town, code: str) -> TestClient:
    client = portal.signed_in(callers()[f"school {code}"])
    client.headers[CSRF_HEADER] = client.get("/api/v1/me").json()["csrf_token"]
    return client


def test_a_school_hands_out_a_code_by_which_the_family_signs_in_until_it_is_revoked(portal: Town) -> None:
    client, pupil = school(portal, FIRST), PUPILS[FIRST][1]
    made = client.post(CODES, json={"pupil_key": pupil, "days": 3})
    assert made.status_code == 201
    code = made.json()["code"]
    family = portal.client()
    assert family.post("/sign-in/code", data={"code": code}).status_code == 303
    assert family.get("/api/v1/me").json()["role"] == "family"
    listed = client.get(CODES).text
    assert made.json()["prefix"] in listed
    assert code not in listed
    assert pupil not in listed
    # Another school neither sees nor revokes it.
    other = school(portal, SECOND)
    assert made.json()["prefix"] not in other.get(CODES).text
    assert other.delete(f"{CODES}/{made.json()['prefix']}").status_code == 404
    assert client.delete(f"{CODES}/{made.json()['prefix']}").json()["revoked_at"]
    assert family.get("/api/v1/me").status_code == 401
    acts = [line["act"] for line in trail.lines(portal.settings, f"code-{made.json()['prefix']}")]
    assert acts == ["code-added", "signed-in", "code-revoked"]
    assert pupil not in "".join(path.read_text() for path in trail.segments(portal.settings))


def test_no_school_hands_out_a_code_for_a_pupil_of_another(portal: Town) -> None:
    client = school(portal, FIRST)
    for pupil in (*PUPILS[SECOND], *PUPILS[ABROAD], "nobody", "' or 1=1 --"):
        refused = client.post(CODES, json={"pupil_key": pupil})
        assert refused.status_code == 404, pupil
    assert client.post(CODES, json={"pupil_key": PUPILS[FIRST][0], "days": 0}).status_code == 422
    assert client.post(CODES, json={"pupil_key": PUPILS[FIRST][0], "x": 1}).status_code == 422
    steward = portal.signed_in(callers()["steward"])
    steward.headers[CSRF_HEADER] = steward.get("/api/v1/me").json()["csrf_token"]
    assert steward.post(CODES, json={"pupil_key": PUPILS[ABROAD][0]}).json()["school_code"] == ABROAD
    official = portal.signed_in(callers()["district 110101"])
    official.headers[CSRF_HEADER] = official.get("/api/v1/me").json()["csrf_token"]
    assert official.post(CODES, json={"pupil_key": PUPILS[FIRST][0]}).status_code == 403
