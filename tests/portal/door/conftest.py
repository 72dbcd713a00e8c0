"""A door of this test alone, before a lake without a row; who asks is said by a header."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.settings import Settings
from portal.app import create_app

DISTRICT, OTHER, OFFICE, SCHOOL = "110101", "110102", "110000", "2111000007"
CALLERS = {
    "district": Caller(Role.DISTRICT, "d1", "东城经办人", DISTRICT, DISTRICT),
    "other": Caller(Role.DISTRICT, "d2", "西城经办人", OTHER, OTHER),
    "school": Caller(Role.SCHOOL, "s1", "学校经办人", SCHOOL, DISTRICT),
    "office": Caller(Role.SENDER, "o1", "市级经办人", OFFICE),
    "city": Caller(Role.CITY, "c1", "市级管理员"),
    "steward": Caller(Role.STEWARD, "root", "数据管理员"),
    "public": ANYBODY,
}


class ByHeader:
    """Each request says who asks."""

    def caller(self, asked: HTTPConnection) -> Caller:
        return CALLERS[asked.headers.get("x-who", "district")]

    def knows(self, subject: str) -> bool:
        return True


class Client(TestClient):
    """Hands files in, and waits for verdicts."""

    def hand_in(self, *files: tuple[str, bytes], who: str = "district", **more: Any) -> Any:
        headers = {"x-who": who, **more.pop("headers", {})}
        parts = [("file", (name, data)) for name, data in files]
        return self.post("/api/v1/deliveries", files=parts, data=more, headers=headers)

    def told(self, address: str, who: str = "district") -> Any:
        return self.get(f"/api/v1/deliveries/{address}", headers={"x-who": who}).raise_for_status().json()

    def verdict(self, address: str, who: str = "district") -> Any:
        """The delivery once it has its verdict."""
        ends = time.monotonic() + 120
        while (told := self.told(address, who))["state"] == "waiting":
            assert time.monotonic() < ends, told
            time.sleep(0.05)
        return told


@pytest.fixture
def door(settings: Settings) -> Iterator[Client]:
    app = create_app(settings.prepare(), ByHeader())
    with Client(app, base_url="http://127.0.0.1") as client:
        yield client
    app.state.desk.close()
