"""The matrix over a release of every mart: no route of any service tells of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from jobs import settings as site_settings
from jobs.access.caller import Role
from jobs.access.store import open_store
from portal.access import gate
from portal.access.keeper import CSRF_HEADER, SiteKeeper
from portal.app import create_app

from . import full_town
from .conftest import DISTRICTS, SCHOOLS, Town, callers, canary
from .test_matrix import addresses, found, may_see, routes

pytestmark = pytest.mark.slow  # a release of eighty tables for seven audiences
CALLERS = callers()
ASKING = ("public", "sender", "district 110101", "school 2111010001", "family 110101", "city")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, key_of_pupils: None) -> Iterator[Town]:
    """The portal of a site that has every mart."""
    folder = tmp_path_factory.mktemp("full")
    settings = replace(
        site_settings.load("beijing", folder / "home"), is_synthetic=False, holds_persons=False
    )
    settings.home.mkdir(parents=True)
    models = full_town.publish(settings, folder)
    keeper = SiteKeeper(settings, open_store(settings))
    app = create_app(settings, keeper)
    named = tuple(models)
    values = {"name": named, "table": named, "table_name": named, "address": ("nobody-s",)}
    yield Town(app, keeper, settings, values)
    for close in app.state.watching.at_end:
        close()


@pytest.mark.parametrize("who", ASKING)
def test_no_route_of_any_service_tells_of_others(full: Town, who: str) -> None:
    caller = CALLERS[who]
    client = full.signed_in(caller)
    client.headers[CSRF_HEADER] = client.get("/api/v1/me").json()["csrf_token"]
    allowed, rules, seen, broken = may_see(caller), gate.rules(full.app), set(), []
    for method, path in routes(full.app):
        if path == "/sign-out" or caller.role not in rules[method, path]:
            continue
        for address in addresses(full.app, method, path, full.values):
            answer = client.request(method, address)
            assert found(answer) <= allowed, f"{who}: {method} {address} -> {answer.status_code}"
            seen |= found(answer)
            if answer.status_code == 500:
                broken.append(f"{method} {address}")
    # A sender's deliveries are asked for in the other matrix; a family sees its pupil, a school by his key.
    expected = {one for one in allowed if "key" not in one} if caller.role != Role.SENDER else set()
    assert seen >= expected | {canary("public")}
    assert broken == []


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("calendar", "sender_code"),
        ("feed-quality", "sender_code"),
        ("corrections", "writer_unit_code"),
        ("comments", "writer_unit_code"),
    ],
)
def test_a_school_sees_what_it_owes_and_what_it_wrote(full: Town, path: str, column: str) -> None:
    school = SCHOOLS[DISTRICTS[0]][0]
    client = full.signed_in(CALLERS[f"school {school}"])
    rows = client.get(f"/api/v1/reporting/{path}").raise_for_status().json()["rows"]
    assert [row[column] for row in rows] == [school]
    other = client.get(f"/api/v1/reporting/{path}?{column}={SCHOOLS[DISTRICTS[0]][1]}")
    assert (other.status_code, other.json()["rows"]) == (200, [])
