"""The rule of each route."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.settings import Settings
from portal.access import gate
from portal.app import create_app


def test_a_route_without_a_rule_keeps_the_application_from_starting(settings: Settings) -> None:
    app = create_app(settings)
    assert len(gate.rules(app)) >= 8
    app.add_api_route("/api/v1/open", lambda: None)
    with pytest.raises(ValueError, match="/api/v1/open has 0 rules"):
        gate.rules(app)


@pytest.mark.parametrize(
    ("caller", "status"),
    [(ANYBODY, 401), (Caller(Role.FAMILY, "c"), 403), (Caller(Role.CITY, "u"), 200)],
)
def test_a_gate_lets_in_the_roles_of_its_rule(settings: Settings, caller: Caller, status: int) -> None:
    app: FastAPI = create_app(settings, gate.EverybodyIs(caller))
    app.add_api_route("/inbox", lambda: {}, **gate.opened_to(*gate.OFFICIALS))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/inbox").status_code == status
