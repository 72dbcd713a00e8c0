"""A small release of two districts whose every row can be told: whose it is, and who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from jobs import settings as site_settings
from jobs.access import codes, sessions
from jobs.access.caller import ANYBODY, Caller, Role
from jobs.access.store import open_store
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import Settings
from portal.access.keeper import CSRF_HEADER, SiteKeeper
from portal.app import create_app

DISTRICTS = ("110101", "110105")
SCHOOLS = {"110101": ("2111010001", "2111010002"), "110105": ("2111050001", "2111050002")}
# School -> its two pupils.
PUPILS = {school: (f"key{school}a", f"key{school}b") for of in SCHOOLS.values() for school in of}
HERE = "http://127.0.0.1"

MODELS = {
    model.name: model
    for model in (
        Model("dim_district", "district_code", "management", title_zh="区", grain=("district_code",)),
        Model("dim_school", "district_code", "management", title_zh="学校", grain=("school_code",)),
        Model("dim_grade", CITY, "management", title_zh="年级", grain=("grade_key",)),
        Model("fct_city_figure", CITY, "management", title_zh="全市数字", grain=("figure_code",)),
        Model(
            "fct_district_figure", "district_code", "services", title_zh="区数字", grain=("district_code",)
        ),
        Model("fct_safety_risk", "district_code", "services", title_zh="风险", grain=("school_code",)),
        Model(
            "pub_place",
            CITY,
            "services",
            public=True,
            protect={"key": ["district_code"], "harmless": {"note": "a word"}},
            title_zh="公开",
            grain=("district_code",),
        ),
        Model(
            "rpt_services__fitness_report",
            "district_code",
            "services",
            pupil_rows=True,
            title_zh="报告",
            grain=("pupil_key", "school_year_start"),
        ),
    )
}


def canary(of: str) -> str:
    """A value that stands in rows of one district, school or pupil alone."""
    return f"zz{of}zz"


TABLES = """
create table dim_district (district_code varchar, district_name_zh varchar);
create table fct_district_figure (district_code varchar, note varchar);
create table pub_place (district_code varchar, note varchar);
create table dim_school (school_code varchar, district_code varchar, school_name varchar);
create table fct_safety_risk (school_code varchar, district_code varchar, risk_word varchar);
create table rpt_services__fitness_report (
    pupil_key varchar, school_code varchar, district_code varchar, school_year_start integer, note varchar);
create table dim_grade as select 'P1' as grade_key, '一年级' as grade_zh;
create table fct_city_figure (figure_code varchar, note varchar);
"""


def _build(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute(TABLES)
        con.execute("insert into fct_city_figure values ('x', ?)", [canary("city")])
        for district in DISTRICTS:
            con.execute("insert into dim_district values (?, ?)", [district, canary(district)])
            con.execute("insert into fct_district_figure values (?, ?)", [district, canary(district)])
            con.execute("insert into pub_place values (?, ?)", [district, canary("public")])
            for school in SCHOOLS[district]:
                for table in ("dim_school", "fct_safety_risk"):
                    con.execute(f"insert into {table} values (?, ?, ?)", [school, district, canary(school)])
                for pupil in PUPILS[school]:
                    con.execute(
                        "insert into rpt_services__fitness_report values (?, ?, ?, 2025, ?)",
                        [pupil, school, district, canary(pupil)],
                    )


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A made-up site with that release."""
    folder = tmp_path_factory.mktemp("town")
    settings = site_settings.load("beijing", folder / "home")
    settings.home.mkdir(parents=True)
    _build(folder / "build.duckdb")
    made = publication.publish(
        settings,
        "r.1",
        folder / "build.duckdb",
        MODELS,
        {},
        as_of_date="2026-09-10",
        known_at="2026-09-10",
        code_version="1",
    )
    if made.is_draft:
        publication.approve(settings, made.number, "test", "small")
    return settings


@dataclass(frozen=True)
class Town:
    """The portal of the site, and a cookie for each of its people."""

    app: FastAPI
    keeper: SiteKeeper
    settings: Settings
    # What may stand for parameters of a path, of what was made here.
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def client(self, cookie: str = "") -> TestClient:
        """A browser."""
        client = TestClient(self.app, HERE, follow_redirects=False, raise_server_exceptions=False)
        if cookie:
            client.cookies.set(self.keeper.cookie, cookie, domain="127.0.0.1")
        return client

    def signed_in(self, caller: Caller) -> TestClient:
        """The browser of somebody who is signed in."""
        if caller == ANYBODY:
            return self.client()
        if caller.role == Role.FAMILY:
            school = caller.pupil_key.removeprefix("key")[:-1]
            pupil = codes.Pupil(caller.pupil_key, school, caller.district_code)
            caller = codes.add(self.keeper.store, pupil, "test")[0].caller
        return self.client(sessions.begin(self.keeper.store, caller))


@pytest.fixture(scope="module")
def portal(town: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The portal with a keeper of its own."""
    settings = replace(town, home=tmp_path_factory.mktemp("portal"))
    keeper = SiteKeeper(settings, open_store(settings))
    app = create_app(settings, keeper)
    yield Town(app, keeper, settings)
    for close in app.state.watching.at_end:
        close()


@pytest.fixture(scope="module")
def key_of_pupils(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The secret without which a real site reads no lake."""
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_bytes(b"k" * 64)
    file.chmod(0o600)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EDULAKE_HMAC_KEY_FILE", str(file))
        yield


@pytest.fixture(scope="module")
def real(town: Settings, tmp_path_factory: pytest.TempPathFactory, key_of_pupils: None) -> Iterator[Town]:
    """The same portal of a site that is not made up: nobody is offered to be somebody."""
    settings = replace(town, home=tmp_path_factory.mktemp("real"), is_synthetic=False)
    keeper = SiteKeeper(settings, open_store(settings))
    app = create_app(settings, keeper)
    made = Town(app, keeper, settings)
    made.values["address"] = tuple(_handed_in(made, district) for district in DISTRICTS)
    yield made
    for close in app.state.watching.at_end:
        close()


def _handed_in(town: Town, district: str) -> str:
    """The address of a delivery of a district, whose file's name is the district's canary."""
    client = town.signed_in(Caller(Role.DISTRICT, f"d{district}", "", district, district))
    token = client.get("/api/v1/me").json()["csrf_token"]
    file = (f"{canary(district)}.csv", "年份,出生人数\n2025,120\n".encode(), "text/csv")
    taken = client.post(
        "/api/v1/deliveries",
        files={"file": file},
        data={"dataset": "school_register", "sender": district},
        headers={CSRF_HEADER: token},
    )
    assert "location" in taken.headers, taken.text
    return taken.headers["location"].rpartition("/")[2]


def callers() -> dict[str, Caller]:
    """Somebody of each role, of both districts."""
    found = {
        "public": ANYBODY,
        "city": Caller(Role.CITY, "city"),
        "steward": Caller(Role.STEWARD, "steward"),
        "sender": Caller(Role.SENDER, "sender", unit_code=DISTRICTS[0], district_code=DISTRICTS[0]),
    }
    for district in DISTRICTS:
        school, other = SCHOOLS[district]
        found |= {
            f"district {district}": Caller(Role.DISTRICT, f"d{district}", "", district, district),
            f"school {school}": Caller(Role.SCHOOL, f"s{school}", "", school, district),
            f"school {other}": Caller(Role.SCHOOL, f"s{other}", "", other, district),
            f"family {district}": Caller(
                Role.FAMILY, "", district_code=district, pupil_key=PUPILS[school][0], via="code"
            ),
        }
    return found
