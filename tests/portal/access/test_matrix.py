"""Every route, asked by every role of two districts: who is let in, and that nothing outside leaves.

Each row of the release has a value that stands in no other district, school or pupil (`canary`). The bytes
of every answer, its headers and what it unpacks to are searched for those that the caller may not see. A new
route is asked without a word here, unless it has a parameter of its path that `VALUES` does not know.
"""

from __future__ import annotations

import gzip
import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from jobs.access import trail
from jobs.access.caller import ANYBODY, Caller, Role
from jobs.access.verify import verify
from portal.access import gate
from portal.access.keeper import CSRF_HEADER
from portal.replies import API

from .conftest import DISTRICTS, MODELS, PUPILS, SCHOOLS, Town, callers, canary

FIRST, OTHER = DISTRICTS
# What stands for a parameter of a path: enough values to reach rows of both districts.
VALUES: dict[str, tuple[str, ...]] = {
    "name": (*MODELS, "no_such_table"),
    "table": (*MODELS,),
    "table_name": (*MODELS,),
    "release": ("1", "999"),
    "number": ("1", "999"),
    "district_code": DISTRICTS,
    "area_key": DISTRICTS,
    "school_code": tuple(school for of in SCHOOLS.values() for school in of),
    "pupil_key": tuple(pupil for of in PUPILS.values() for pupil in of),
    "prefix": ("AAAA",),
    "column": ("school_code", "note", "no_such_column"),
    "link": ("aaaaaaaaaaaaaaaa",),
    "n": ("1", "2"),
    "kind": ("report.xlsx", "report.html", "marked.xlsx", "no-such-kind"),
}
# Parameters of a query that name rows of somebody.
NAMING = {
    name: VALUES.get(name, (*DISTRICTS, *itertools.chain(*SCHOOLS.values())))
    for name in (
        "district_code",
        "school_code",
        "pupil_key",
        "unit_code",
        "sender",
        "sender_code",
        "district",
    )
}
# Any other is a name of our own (a metric, an alert, a scenario): one that is nobody's reaches a route too.
PLAIN = re.compile(r"(^|_)(id|code|key|name|number|kind|path|token|service|metric|file|share|schema)($|_of_)")
FORMATS = ("csv", "xlsx", "parquet", "arrow")
CALLERS = callers()
# What reads all models before its first answer, and no row: asked in the slow matrix.
LATER = {f"{API}/lineage/{{table}}/{{column}}"}
# Paths that are no API: files of the page itself, the same for everybody.
OPEN_MOUNTS = {"/static"}


def every_canary() -> set[str]:
    schools = [school for of in SCHOOLS.values() for school in of]
    pupils = [pupil for of in PUPILS.values() for pupil in of]
    return {canary(of) for of in ("public", "plain", "city", *DISTRICTS, *schools, *pupils)}


def may_see(caller: Caller) -> set[str]:
    """The canaries of a caller's scope: the rule, told a second time."""
    of = {canary("public")}
    if caller.role in (Role.CITY, Role.DISTRICT, Role.SCHOOL):
        # Plain dimensions of the whole city.
        of |= {canary("plain")}
    schools = {canary(school) for found in SCHOOLS.values() for school in found}
    if caller.role == Role.STEWARD:
        return every_canary()
    if caller.role == Role.CITY:
        return of | {canary("city"), *map(canary, DISTRICTS)} | schools
    if caller.role == Role.DISTRICT:
        # What is declared to be of the whole city is every district's.
        own = {canary(school) for school in SCHOOLS[caller.unit_code]}
        return of | own | {canary("city"), canary(caller.unit_code)}
    if caller.role == Role.SCHOOL:
        return of | {canary(caller.unit_code)} | {canary(pupil) for pupil in PUPILS[caller.unit_code]}
    if caller.role == Role.SENDER:
        # Its own deliveries, whose files are named so.
        return of | {canary(caller.unit_code)}
    if caller.role == Role.FAMILY:
        return of | {canary(caller.pupil_key)}
    return of


def said(answer: httpx.Response) -> Iterator[bytes]:
    """All that an answer says: its headers, its body, and what that unpacks to."""
    yield "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items()).encode()
    yield from unpacked(answer.content)


def unpacked(body: bytes) -> Iterator[bytes]:
    yield body
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    elif body.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(body))
        yield f"{table.schema.metadata} {table.to_pylist()}".encode()
    elif body.startswith(b"\xff\xff\xff\xff"):
        yield str(pa.ipc.open_stream(body).read_all().to_pylist()).encode()
    elif body.startswith(b"\x1f\x8b"):
        try:
            yield gzip.decompress(body)
        except (OSError, zlib.error, EOFError):
            return


def found(answer: httpx.Response) -> set[str]:
    """The canaries in an answer."""
    text = b"\n".join(said(answer))
    return {one for one in every_canary() if one.encode() in text}


def paths(route: str, more: dict[str, tuple[str, ...]]) -> list[str]:
    """The addresses of a route, its parameters filled in. Raises LookupError for one that nothing fills."""
    known = VALUES | more
    names = re.findall(r"{(\w+)(?::\w+)?}", route)
    for name in names:
        if name not in known and not PLAIN.search(name):
            raise LookupError(f"{route}: say in VALUES what `{name}` may be, so that the matrix asks it")
    filled = []
    for values in itertools.product(*(known.get(name, ("nobody-s",)) for name in names)):
        path = route
        for name, value in zip(names, values, strict=True):
            path = re.sub(rf"{{{name}(:\w+)?}}", value, path)
        filled.append(path)
    return filled


def addresses(app: FastAPI, method: str, path: str, more: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The addresses of a route, bare and with each parameter of a query that can name somebody's rows."""
    found = paths(path, more)
    yield from found
    declared = {
        name
        for route in app.routes
        if isinstance(route, APIRoute) and route.path == path and method in route.methods
        for name in (one.alias for one in get_flat_dependant(route.dependant).query_params)
    }
    for name in sorted(declared & set(NAMING)):
        for value in NAMING[name]:
            yield from (f"{one}?{name}={value}" for one in found[:4])


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route that has a rule. Raises ValueError for a route or mount without one."""
    known = gate.rules(app)
    for route in app.routes:
        path = getattr(route, "path", str(route))
        if isinstance(route, Mount):
            if path not in OPEN_MOUNTS:
                raise ValueError(f"{path} is a mount without a rule: nobody says who may ask below it")
        elif not isinstance(route, APIRoute) and path != app.openapi_url:
            raise ValueError(f"{path} is a plain route: give it a rule by `opened_to`")
    return sorted(known)


def test_every_route_of_the_portal_has_a_rule_and_known_parameters(real: Town) -> None:
    for _, path in routes(real.app):
        assert paths(path, real.values)
    with pytest.raises(LookupError, match="VALUES"):
        paths("/api/v1/towers/{height}", real.values)
    bare = FastAPI(docs_url=None, redoc_url=None)
    bare.add_route("/bare", lambda request: None)
    with pytest.raises(ValueError, match="/bare"):
        routes(bare)
    mounted = FastAPI(docs_url=None, redoc_url=None)
    mounted.mount("/below", FastAPI())
    with pytest.raises(ValueError, match="/below"):
        routes(mounted)


@pytest.mark.parametrize("who", CALLERS, ids=CALLERS)
def test_a_caller_is_let_in_by_the_rule_alone_and_sees_his_scope_alone(real: Town, who: str) -> None:
    caller = CALLERS[who]
    client = real.signed_in(caller)
    client.headers[CSRF_HEADER] = client.get("/api/v1/me").json()["csrf_token"]
    allowed, rules, seen = may_see(caller), gate.rules(real.app), set()
    for method, path in routes(real.app):
        if path == "/sign-out" or path in LATER:
            continue
        is_open = caller.role in rules[method, path]
        for address in addresses(real.app, method, path, real.values):
            answer = client.request(method, address)
            where = f"{who}: {method} {address} -> {answer.status_code}"
            refused = 401 if caller == ANYBODY else 403
            if is_open:
                assert answer.status_code != 401, where
                assert answer.status_code < 500 or answer.status_code in (501, 503), where + answer.text
            else:
                assert answer.status_code == refused, where
            assert found(answer) <= allowed, where
            seen |= found(answer)
    # A matrix that finds nothing proves nothing. Pupils are seen where a route for them has come.
    assert {one for one in allowed - {canary("plain")} if "key" not in one} <= seen


def questions() -> Iterator[str]:
    """What somebody would try who looks for rows of others."""
    for district in DISTRICTS:
        yield f"district_code={district}"
        yield f"district_code__ne={district}"
        yield f"district_name_zh__contains={canary(district)}"
        yield f"note={canary(district)}"
        for school in SCHOOLS[district]:
            yield f"school_code={school}"
            yield f"school_name={canary(school)}"
            yield f"risk_word__gte={canary(school)}"
    yield from ("sort=district_code", "sort=-school_code", "fields=note", "fields=school_name,risk_word")
    yield from ("limit=1000", "limit=1", "release=1", "cursor=MS4xLjEuMDAwMDAwMDAwMDAwMDAwMA", "no_such=1")


@pytest.mark.parametrize(
    "who", [f"school {SCHOOLS[FIRST][0]}", f"district {FIRST}", "public", f"family {FIRST}"]
)
def test_no_filter_format_tag_or_error_tells_of_others(real: Town, who: str) -> None:
    caller = CALLERS[who]
    client = real.signed_in(caller)
    steward = real.signed_in(CALLERS["steward"])
    allowed = may_see(caller)
    for table in MODELS:
        path = f"/api/v1/tables/{table}"
        for output in FORMATS:
            for header in ("name", "zh"):
                answer = client.get(f"{path}?format={output}&header={header}")
                assert found(answer) <= allowed, f"{who}: {path} {output}"
        # Whether a filter meets something tells of what it meets.
        for question in questions():
            answer = client.get(f"{path}?{question}")
            echoed = {one for one in every_canary() if one in question}
            assert found(answer) - echoed <= allowed, f"{who}: {path}?{question}"
            if answer.status_code == 200:
                theirs = [
                    row
                    for row in answer.json()["rows"]
                    if set(map(str, row.values())) & (every_canary() - allowed)
                ]
                assert theirs == [], f"{who}: {path}?{question}"
        # The tag of the steward's answer is good for nobody else.
        tag = steward.get(path).headers.get("etag", "")
        mine = client.get(path, headers={"if-none-match": tag})
        assert mine.status_code != 304 or (
            canary("public") in allowed and found(steward.get(path)) <= allowed
        )
        assert found(client.head(path)) <= allowed


def test_what_a_whole_table_says_of_its_rows_is_of_the_scope_alone(real: Town) -> None:
    school = real.signed_in(CALLERS[f"school {SCHOOLS[FIRST][0]}"])
    listed = {one["name"]: one["row_count"] for one in school.get("/api/v1/tables").json()["tables"]}
    assert listed == {"dim_school": 1, "dim_grade": 1, "fct_safety_risk": 1, "pub_place": 2}
    for name in ("dim_district", "fct_district_figure", "fct_city_figure", "rpt_services__fitness_report"):
        assert school.get(f"/api/v1/tables/{name}").status_code == 404
    family = real.signed_in(CALLERS[f"family {FIRST}"])
    assert [one["name"] for one in family.get("/api/v1/tables").json()["tables"]] == ["pub_place"]


def test_reads_of_whom_we_know_are_in_the_trail_and_those_of_the_public_are_not(real: Town) -> None:
    subject = "trailed"
    official = real.signed_in(Caller(Role.DISTRICT, subject, "", FIRST, FIRST))
    official.get("/api/v1/tables/fct_safety_risk?school_code=2111010001")
    official.get("/api/v1/tables/nothing")
    real.client().get("/api/v1/tables/pub_place")
    real.app.state.trail.flush()
    lines = [line for line in trail.lines(real.settings, subject) if line["act"] == trail.READ]
    assert [(line["route"], line["audience"], line["outcome"]) for line in lines] == [
        ("/api/v1/tables/{name}", f"district-{FIRST}", "200"),
        ("/api/v1/tables/{name}", f"district-{FIRST}", "404"),
    ]
    assert lines[0]["release"] == 1
    assert "2111010001" not in str(lines)
    assert not any(
        line.get("role") == "public" for line in trail.lines(real.settings) if line["act"] == "read"
    )
    assert verify(real.settings).faults == []
