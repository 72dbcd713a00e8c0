"""What the API says of the release itself, and of values that are missing."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.publish import publication
from jobs.publish.release import Release
from jobs.settings import Settings
from portal import app as portal
from portal.access.gate import EverybodyIs

OFFICIAL = Caller(Role.CITY, "official")


def test_a_note_on_the_release_is_told_at_once(settings: Settings, publish: Callable[..., Release]) -> None:
    with TestClient(
        portal.create_app(settings, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1"
    ) as client:
        publish(1)
        first = client.get("/api/v1/release")
        assert first.json()["notes"] == []
        assert set(first.json()["versions"]) == {
            table["name"] for table in client.get("/api/v1/tables").json()["tables"]
        }
        publication.amend(settings, 1, "王芳", "海淀区肥胖人数偏低，第2版更正")
        told = client.get("/api/v1/release", headers={"if-none-match": first.headers["etag"]})
        assert told.status_code == 200
        assert [note["note"] for note in told.json()["notes"]] == ["海淀区肥胖人数偏低，第2版更正"]
        assert "王芳" not in told.text, "who wrote it is not public"


def test_a_missing_value_tells_its_reason_in_words(published: Settings) -> None:
    with TestClient(
        portal.create_app(published, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1"
    ) as served:
        _tells(served)


def _tells(served: TestClient) -> None:
    told = served.get("/api/v1/tables/fct_indicator_value").json()
    assert [row["total_missing_reason"] for row in told["rows"]] == [None, None, None, "not_told", "k"]
    assert told["reasons"]["not_told"] == {"zh": "未报送", "en": "not reported", "symbol": "–"}
    assert told["reasons"].keys() == {"not_told", "k"}, "of this page alone"
    assert served.get("/api/v1/tables/fct_school_fitness").json()["reasons"] == {}
    in_words = served.get("/api/v1/tables/fct_indicator_value?format=csv&header=zh").text.splitlines()
    assert in_words[4].split(",")[2] == "未报送"
    assert "人数过少" in in_words[5]
    as_codes = served.get("/api/v1/tables/fct_indicator_value?format=csv").text.splitlines()
    assert as_codes[4].split(",")[2] == "not_told"
