"""Whatever is asked, the API answers as it says it does: requests are made from its own description."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as openapi

from jobs.access.caller import Caller, Role
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

pytestmark = pytest.mark.slow
CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
FEW = hypothesis.settings(max_examples=5, deadline=None, suppress_health_check=[*hypothesis.HealthCheck])


def test_no_request_surprises_the_api(published: Settings) -> None:
    official = EverybodyIs(Caller(Role.CITY, "official"))
    app = create_app(published, official, ("127.0.0.1", "localhost", "testserver"))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    surprises, asked = [], 0
    for found in schema.get_all_operations():
        operation = found.ok()
        # The small release has a register of four columns.
        if operation.method.upper() != "GET" or operation.path == "/api/v1/schools":
            continue

        @FEW
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        asked += 1
        try:
            ask()
        except FailureGroup as error:
            surprises.append(f"{operation.label}: {error}")
    assert asked > 50
    assert not surprises, "\n\n".join(surprises)
