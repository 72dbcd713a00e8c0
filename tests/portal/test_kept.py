"""Answers that are sent again: equal to those that are made, for the public only, of the release served."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.publish.release import Release
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

PATH = "/api/v1/tables/fct_place_outlook?limit=3"
TOLD = ("content-type", "etag", "x-data-release", "vary", "content-security-policy", "cache-control", "link")


class ByHeader:
    """A keeper for whom a key or a cookie is a district's, and who counts the questions."""

    def __init__(self) -> None:
        self.asked = 0

    def caller(self, asked: HTTPConnection) -> Caller:
        self.asked += 1
        if "authorization" in asked.headers or "cookie" in asked.headers:
            return Caller(Role.DISTRICT, "d", unit_code="110101", district_code="110101", via="key")
        return ANYBODY

    def knows(self, subject: str) -> bool:
        return True


@pytest.fixture
def keeper() -> ByHeader:
    return ByHeader()


@pytest.fixture
def client(published: Settings, keeper: ByHeader) -> TestClient:
    return TestClient(create_app(published, keeper), base_url="http://127.0.0.1", client=("127.0.0.1", 1))


def test_the_same_answer_is_sent_again_without_asking_anybody(client: TestClient, keeper: ByHeader) -> None:
    made, again = client.get(PATH), client.get(PATH)
    assert keeper.asked == 1
    assert (again.status_code, again.content) == (200, made.content)
    assert dict(again.headers) == dict(made.headers)
    assert all(name in again.headers for name in TOLD)
    head = client.head(PATH)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", made.headers["etag"])
    known = client.get(PATH, headers={"if-none-match": f'"other", W/{made.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["x-data-release"] == "1"
    assert "content-type" not in known.headers
    assert client.get(PATH, headers={"if-none-match": '"other"'}).content == made.content
    assert keeper.asked == 1
    told = client.get("/metrics").text
    assert (
        'edulake_requests_total{method="GET",role="public",route="/api/v1/tables/{name}",status="304"}'
        in told
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer x"},
        {"cookie": "edulake=x"},
        {"range": "bytes=0-3"},
        {"x-new": "1"},
        {"host": "edu.example"},
        {"accept-encoding": "identity"},
        {"accept-language": "en"},
    ],
    ids=str,
)
def test_another_question_is_asked_anew(
    client: TestClient, keeper: ByHeader, headers: dict[str, str]
) -> None:
    made = client.get(PATH)
    asked = keeper.asked
    other = client.get(PATH, headers=headers)
    if "host" in headers:
        assert other.status_code == 421
        return
    assert keeper.asked == asked + 1
    if "authorization" in headers or "cookie" in headers:
        assert other.json()["rows"] != made.json()["rows"]
        assert client.get(PATH).content == made.content, "nobody else is sent it"


def test_what_was_made_for_somebody_is_never_kept(published: Settings) -> None:
    keeper = EverybodyIs(Caller(Role.CITY, "official"))
    with TestClient(create_app(published, keeper), base_url="http://127.0.0.1") as client:
        city = client.get("/api/v1/tables").json()
        client.app.state.keeper = EverybodyIs(ANYBODY)  # type: ignore[attr-defined]
        assert len(client.get("/api/v1/tables").json()["tables"]) < len(city["tables"])


def test_faults_and_what_changes_by_itself_are_not_kept(client: TestClient, keeper: ByHeader) -> None:
    for path in ("/api/v1/tables/none", "/api/v1/release", f"{PATH}&wrong=1", "/api/v1/healthz"):
        asked = keeper.asked
        statuses = {client.get(path).status_code for _ in range(2)}
        assert len(statuses) == 1
        assert keeper.asked == asked + 2, path


def test_a_new_release_is_served_at_once(settings: Settings, publish: Callable[..., Release]) -> None:
    publish(1)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        for number in (1, 2):
            for _ in range(3):
                assert client.get(PATH).headers["x-data-release"] == str(number)
            publish(number + 1)
        old = client.get(f"{PATH}&release=1")
        assert old.headers["x-data-release"] == "1"
