"""Clients of the finished lake's release: one for each kind of caller."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.publish import release as releases
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

DISTRICT = "110105"


@pytest.fixture(scope="session")
def opened(lake: Settings) -> Callable[[str], duckdb.DuckDBPyConnection]:
    """The release of `lake` as SQL reads the file of an audience."""
    published = releases.published(lake)
    return lambda audience: releases.open_release(published, audience)


@pytest.fixture(scope="session")
def own_school(opened: Callable[[str], duckdb.DuckDBPyConnection]) -> str:
    """The code of a school of the district with pupils tested."""
    found = opened(f"district-{DISTRICT}").execute("select min(school_code) from fct_fitness_school_year")
    return str(found.fetchall()[0][0])


@pytest.fixture(scope="session")
def callers(lake: Settings, own_school: str) -> dict[Role, TestClient]:
    """A client of each role; district and school are of DISTRICT."""
    who = {
        Role.PUBLIC: ANYBODY,
        Role.SCHOOL: Caller(Role.SCHOOL, "s", unit_code=own_school, district_code=DISTRICT),
        Role.DISTRICT: Caller(Role.DISTRICT, "d", unit_code=DISTRICT, district_code=DISTRICT),
        Role.CITY: Caller(Role.CITY, "c"),
        Role.STEWARD: Caller(Role.STEWARD, "t"),
    }
    return {
        role: TestClient(create_app(lake, EverybodyIs(caller)), base_url="http://127.0.0.1")
        for role, caller in who.items()
    }
