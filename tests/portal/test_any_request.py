"""Whatever is asked, the API answers as it says it does: requests are made from its own description."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as openapi

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
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
CITY = Caller(Role.CITY, "official")
DISTRICT = Caller(Role.DISTRICT, "clerk", "东城经办人", "110101", "110101")
SCHOOL = Caller(Role.SCHOOL, "teacher", "学校经办人", "2111010000", "110101")


def surprises(app: FastAPI, examples: int, *, is_reading: bool) -> tuple[int, list[str]]:
    """How many operations were asked, and what was not answered as the description has it."""
    few = hypothesis.settings(
        max_examples=examples, deadline=None, suppress_health_check=[*hypothesis.HealthCheck]
    )
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    broken, asked = [], 0
    for found in schema.get_all_operations():
        operation = found.ok()
        # The small release has a register of four columns.
        if (operation.method.upper() == "GET") != is_reading or operation.path == "/api/v1/schools":
            continue

        @few
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        asked += 1
        try:
            ask()
        except FailureGroup as error:
            broken.append(f"{operation.label}: {error}")
    return asked, broken


def application(settings: Settings, caller: Caller) -> FastAPI:
    return create_app(settings, EverybodyIs(caller), ("127.0.0.1", "localhost", "testserver"))


def test_no_question_surprises_the_api(published: Settings) -> None:
    asked, broken = surprises(application(published, CITY), 5, is_reading=True)
    assert asked > 50
    assert not broken, "\n\n".join(broken)


@pytest.mark.parametrize("caller", [CITY, DISTRICT, SCHOOL], ids=lambda caller: str(caller.role))
def test_no_write_surprises_the_api(
    settings: Settings, publish: Callable[..., Release], caller: Caller
) -> None:
    publish(1)
    app = application(settings.prepare(), caller)
    try:
        asked, broken = surprises(app, 30, is_reading=False)
    finally:
        app.state.desk.close()
        app.state.trail.close()
    assert asked > 10
    assert not broken, "\n\n".join(broken)
