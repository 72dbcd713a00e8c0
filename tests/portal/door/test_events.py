"""What people write: within their scope, by the rules of a run, once, seen at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs import clock, declare
from jobs import settings as site_settings
from jobs.access import trail
from jobs.access.caller import ANYBODY, Caller, Role
from jobs.lake import deliveries, tables
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.publish.release import CITY as CITY_ROWS
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.door.writes import Step, check_step
from portal.problems import ProblemError

API = "/api/v1"
DISTRICT = Caller(Role.DISTRICT, "person-7", "王芳", "110101", "110101", via="session")
OTHER = replace(DISTRICT, subject="person-8", unit_code="110105", district_code="110105")
SCHOOL = Caller(Role.SCHOOL, "person-9", "李明", "2111000001", "110101", via="session")
CITY = Caller(Role.CITY, "person-1", "赵强", "110000", via="session")
STEWARD = Caller(Role.STEWARD, "person-0", via="session")
FAMILY = Caller(Role.FAMILY, "code-3", "", "", "110101", "K1", via="code")

_OF_DISTRICT = {
    name: Model(name, "district_code", "management", columns={}, title_zh=name)
    for name in ("fct_safety_alert", "fct_safety_hazard", "fct_figure_comment", "dim_school")
}
_MODELS = {
    **_OF_DISTRICT,
    "rpt_portal__service_card": Model("rpt_portal__service_card", CITY_ROWS),
    "rpt_portal__platform_item": Model("rpt_portal__platform_item", CITY_ROWS),
    "fct_pupil": Model("fct_pupil", "district_code", "management", pupil_rows=True, title_zh="学生"),
}
ALERT, CLOSED, OVER = "illness:2111000001:2025-10-20", "illness:2111000002:2025-10-01", "hotline:110101:G1"
FAR = "illness:2111000009:2025-10-20"
HAZARD = "2111000001|YH-20250901-0001"


def _build(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute(f"""
            create table rpt_portal__service_card (service varchar);
            create table rpt_portal__platform_item (table_name varchar);
            create table fct_pupil as select 'K1' as pupil_key, '110101' as district_code;
            create table dim_school as from (values
                ('2111000001', '110101', 240), ('2111000009', '110105', 9)
            ) t(school_code, district_code, pupil_count);
            create table fct_safety_alert as from (values
                ('{ALERT}', '110101', '2111000001', 'new'), ('{CLOSED}', '110101', '2111000002', 'handled'),
                ('{OVER}', '110101', null, 'over'), ('{FAR}', '110105', '2111000009', 'seen')
            ) t(alert_id, district_code, school_code, alert_state);
            create table fct_safety_hazard as select '2111000001' as school_code, '110101' as district_code,
                'YH-20250901-0001' as hazard_code, date '2025-09-01' as found_date,
                'fire' as hazard_category_code, 'general' as hazard_grade_code,
                date '2025-10-01' as hazard_due_date, 'open' as hazard_status_code;
            create table fct_figure_comment as select 'a' as write_id, '110101' as district_code,
                'dim_school' as about_table, '一月的批注' as comment_text,
                '2025-01-01T00:00:00.000Z' as written_time;
        """)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a site with one release of a few alerts, a hazard and a comment."""
    folder = tmp_path_factory.mktemp("writes")
    settings = site_settings.load("beijing", folder / "home").prepare()
    _build(folder / "build.duckdb")
    told = {"as_of_date": "2025-11-20", "known_at": "2025-11-20", "code_version": "0.1.0"}
    publication.publish(settings, "2025-11-20.1", folder / "build.duckdb", _MODELS, {}, **told)
    return settings.home


@pytest.fixture
def site(settings: Settings, released: Path) -> Settings:
    """That site, of this test alone."""
    shutil.copytree(released, settings.home)
    return settings


Asking = Callable[[Caller], TestClient]


@contextmanager
def _asking(site: Settings) -> Iterator[Asking]:
    app = create_app(site)

    def client(caller: Caller) -> TestClient:
        one = TestClient(app, base_url="http://localhost")
        one.event_hooks["request"].append(lambda _: setattr(app.state, "keeper", EverybodyIs(caller)))
        return one

    yield client
    app.state.trail.close()


@pytest.fixture
def asking(site: Settings) -> Iterator[Asking]:
    """A client for each caller; all of one server."""
    with _asking(site) as clients:
        yield clients


@pytest.fixture(scope="module")
def refusing(released: Path) -> Iterator[Asking]:
    """The same for tests that land nothing."""
    with _asking(site_settings.load("beijing", released.parent)) as clients:
        yield clients


def state(
    client: TestClient, alert: str, wanted: str, key: str = "", **more: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(
        f"{API}/safety/alerts/{alert}/states", json={"state": wanted, **more}, headers=headers
    )
    told: dict[str, Any] = answer.json()
    return answer.status_code, told


def test_an_alert_goes_from_seen_to_handled_and_each_step_counts_once(site: Settings, asking: Asking) -> None:
    mine = asking(DISTRICT)
    assert state(mine, ALERT, "handled")[0] == 409
    status, told = state(mine, ALERT, "seen", note="已通知学校")
    assert (status, told["is_new"], told["is_pending"], told["state_zh"]) == (
        201,
        True,
        True,
        "待下次发布生效",
    )
    assert state(mine, ALERT, "seen") == (200, {**told, "is_new": False})
    assert state(mine, ALERT, "handled")[0] == 201
    assert state(mine, ALERT, "handled")[0] == 200
    # A click on `seen` that comes again late opens nothing, and no other end replaces this one.
    assert state(mine, ALERT, "seen") == (200, {**told, "is_new": False})
    assert state(mine, ALERT, "false")[0] == 409
    assert state(mine, ALERT, "seen", reopen=True)[0] == 201
    assert state(mine, ALERT, "false")[0] == 201
    shown = mine.get(f"{API}/safety/alerts/{ALERT}/states").json()
    assert shown["alert_state"] == "false"
    assert [row["alert_state_code"] for row in shown["rows"]] == ["seen", "handled", "seen", "false"]
    assert shown["pending_count"] == 4
    assert "handler_name" not in json.dumps(shown)
    landed = deliveries.scan(site)
    assert {(f.feed, f.sender) for f in landed} == {("campus_safety", "110000")}
    assert len(landed) == 4
    assert "王芳" not in "".join(f.path.read_text() for f in landed)


def test_what_lies_outside_the_scope_is_not_there(asking: Asking) -> None:
    school = asking(SCHOOL)
    assert state(asking(DISTRICT), FAR, "handled")[0] == 404
    assert state(asking(OTHER), ALERT, "seen")[0] == 404
    assert state(school, CLOSED, "seen", reopen=True)[0] == 404
    assert asking(OTHER).get(f"{API}/safety/alerts/{ALERT}/states").status_code == 404
    assert asking(OTHER).post(f"{API}/safety/hazards/{HAZARD}/closings", json={}).status_code == 404
    assert state(asking(FAMILY), ALERT, "seen")[0] == 403
    assert state(asking(ANYBODY), ALERT, "seen")[0] == 401
    assert state(asking(CITY), FAR, "handled")[0] == 201
    assert state(school, ALERT, "seen")[0] == 201
    assert state(asking(DISTRICT), OVER, "seen")[0] == 409


def test_a_key_names_one_write_for_ever(asking: Asking) -> None:
    mine = asking(DISTRICT)
    first = state(mine, ALERT, "seen", key="k1")
    assert state(mine, ALERT, "handled", key="k2")[0] == 201
    assert state(mine, ALERT, "seen", key="k3", reopen=True)[0] == 201
    # The first handling sent again by a client that heard nothing: it closes nothing anew.
    assert state(mine, ALERT, "handled", key="k2")[0] == 200
    assert mine.get(f"{API}/safety/alerts/{ALERT}/states").json()["alert_state"] == "seen"
    assert state(mine, ALERT, "seen", key="k1") == (200, {**first[1], "is_new": False})
    assert state(mine, ALERT, "false", key="k1")[0] == 422


@pytest.mark.parametrize(
    ("current", "wanted", "reopen", "is_step"),
    [
        ("new", "seen", False, True),
        ("new", "handled", False, False),
        ("new", "seen", True, False),
        ("seen", "handled", False, True),
        ("seen", "false", False, True),
        ("seen", "seen", False, False),
        ("handled", "seen", False, False),
        ("handled", "seen", True, True),
        ("handled", "false", True, False),
        ("false", "seen", True, True),
        ("joined", "seen", False, False),
    ],
)
def test_states_have_an_order(current: str, wanted: str, reopen: bool, is_step: bool) -> None:
    with nullcontext() if is_step else pytest.raises(ProblemError):
        check_step(current, Step(wanted, reopen=reopen))


def test_a_closing_states_the_hazard_again_as_it_was(site: Settings, asking: Asking) -> None:
    contract_row = {
        "school_code": "2111000001",
        "hazard_code": "YH-20250901-0001",
        "found_date": clock.today("UTC").replace(year=2025, month=9, day=1),
        "hazard_category_code": "fire",
        "hazard_grade_code": "general",
        "hazard_due_date": clock.today("UTC").replace(year=2025, month=10, day=1),
        "hazard_status_code": "open",
        "hazard_funds_yuan": 1200,
        "stated_on": clock.today("UTC").replace(year=2025, month=9, day=2),
        "delivery_no": 1,
        "_file_sha256": "x",
        "_line_number": 2,
    }
    row = dict.fromkeys(declare.table_columns("clean_safety__hazard")) | contract_row
    tables.append_rows(site, "clean_safety__hazard", [row], "1", "run")
    mine = asking(DISTRICT)
    keyed = {"headers": {"Idempotency-Key": "a"}}
    address, said = f"{API}/safety/hazards/{HAZARD}/closings", {"note": "已更换灭火器"}
    answers = [mine.post(address, json=said, **keyed) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 200]
    assert mine.post(address, json={}).status_code == 200
    assert mine.post(address, json={"note": "另一条"}, **keyed).status_code == 422
    (file,) = deliveries.scan(site)
    told = json.loads(file.path.read_text())
    today = clock.today(site.timezone).isoformat()
    assert (told["状态"], told["整改资金"], told["排查日期"]) == ("closed", "1200.00", "2025-09-01")
    assert told["实际完成日期"] == told["复查日期"] == today
    assert mine.get(f"{API}/safety/hazards/{HAZARD}/closings").json()["pending_count"] == 1
    early = mine.post(f"{API}/safety/hazards/{HAZARD}/closings", json={"hazard_done_date": "2199-01-01"})
    assert early.status_code == 422


def test_a_text_is_kept_once_and_seen_at_once_by_its_scope_alone(site: Settings, asking: Asking) -> None:
    body = {
        "about_table": "dim_school",
        "about_key": {"school_code": "2111000001"},
        "about_column": "pupil_count",
        "text": "人数与学籍不一致",
    }
    mine = asking(DISTRICT)
    first = mine.post(f"{API}/comments", json=body)
    assert first.status_code == 201
    again = mine.post(f"{API}/comments", json=body)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    other_words = {**body, "text": "另一条"}
    keyed = [mine.post(f"{API}/comments", json=other_words, headers={"Idempotency-Key": k}) for k in "aab"]
    assert [one.status_code for one in keyed] == [201, 200, 201]
    reused = mine.post(f"{API}/comments", json=body, headers={"Idempotency-Key": "a"})
    assert reused.status_code == 422
    seen = mine.get(f"{API}/comments").json()
    assert [row["comment_text"] for row in seen["rows"]] == [
        *("另一条", "另一条", "人数与学籍不一致", "一月的批注")
    ]
    assert [row["is_pending"] for row in seen["rows"]] == [True, True, True, False]
    assert asking(OTHER).get(f"{API}/comments").json()["rows"] == []
    assert len(asking(CITY).get(f"{API}/comments?about_table=dim_school").json()["rows"]) == 4
    assert asking(CITY).get(f"{API}/comments?about_table=x").json()["rows"] == []
    assert asking(SCHOOL).get(f"{API}/comments").json()["rows"] == []
    assert asking(FAMILY).get(f"{API}/comments").status_code == 403
    assert mine.get(f"{API}/comments?district=110105").status_code == 422
    assert len(deliveries.scan(site)) == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"about_table": "nothing"}, 404),
        ({"about_table": "fct_pupil"}, 404),
        ({"about_column": "score"}, 422),
        ({"about_key": {"school_code": "2111000009"}}, 404),
        ({"about_key": {"school_code__gt": "1"}}, 422),
        ({"about_key": {"weight": 1}}, 422),
        ({"text": " \n "}, 422),
        ({"text": "-"}, 422),
        ({"text": "致电 13800138000"}, 422),
        ({"text": "\ud83d"}, 422),
        ({"text": "a\u0000b"}, 422),
        ({"text": "长" * 2001}, 422),
        ({"more": 1}, 422),
    ],
)
def test_a_text_that_cannot_be_taken_is_refused_and_not_landed(
    released: Path, refusing: Asking, change: dict[str, Any], status: int
) -> None:
    body = {"about_table": "dim_school", "text": "不一致"} | change
    data = json.dumps(body).encode()
    answer = refusing(DISTRICT).post(
        f"{API}/comments", content=data, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [*(released / "landing").rglob("*.ndjson")]


def test_the_public_may_ask_for_a_correction_now_and_then(site: Settings, asking: Asking) -> None:
    public = asking(ANYBODY)
    words = [{"about_page": "places", "text": f"第 {n} 处有误", "contact": "13800138000"} for n in range(9)]
    answers = [public.post(f"{API}/corrections", json=body) for body in words]
    assert [one.status_code for one in answers] == [201] * 6 + [429] * 3
    assert int(answers[-1].headers["retry-after"]) > 0
    assert public.get(f"{API}/corrections").status_code == 401
    seen = asking(CITY).get(f"{API}/corrections")
    assert seen.json()["pending_count"] == 6
    assert "13800138000" not in seen.text
    (first, *_) = deliveries.scan(site)
    assert first.sender == "110000"
    assert "13800138000" in first.path.read_text()
    assert asking(DISTRICT).get(f"{API}/corrections").json()["rows"] == []
    family = asking(FAMILY)
    assert family.post(f"{API}/corrections", json={"text": "成绩日期不对"}).status_code == 201
    assert [row["correction_text"] for row in family.get(f"{API}/corrections").json()["rows"]] == [
        "成绩日期不对"
    ]


def test_a_scenario_is_saved_for_its_scope_and_shared_by_its_link(asking: Asking) -> None:
    mine = asking(DISTRICT)
    body = {"name": "扩班", "levers": ["births -10%", "class_size 2 stage=primary"], "note": "会商用"}
    saved = mine.post(f"{API}/places/scenarios", json=body)
    assert saved.status_code == 201
    link = f"{API}/places/scenarios/saved/{saved.json()['id']}"
    (row,) = mine.get(link).json()["rows"]
    assert json.loads(row["scenario_levers"]) == body["levers"]
    assert row["scenario_name"] == "扩班"
    assert asking(CITY).get(link).status_code == 200
    assert asking(OTHER).get(link).status_code == 404
    wrong = mine.post(f"{API}/places/scenarios", json={**body, "levers": ["miracle 3"]})
    assert wrong.status_code == 422
    foreign = {**body, "levers": ["premises 400 district=110105 stage=primary from=2027"]}
    assert mine.post(f"{API}/places/scenarios", json=foreign).status_code == 403
    assert asking(CITY).post(f"{API}/places/scenarios", json=foreign).status_code == 201


def test_each_write_is_audited_before_it_is_landed(
    site: Settings, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state(asking(DISTRICT), ALERT, "seen")[0] == 201
    (line,) = [line for line in trail.lines(site) if line["act"].startswith("write-")]
    assert line["act"] == "write-alert_state"
    assert "已" not in json.dumps(line, ensure_ascii=False)

    def full(*_: object) -> None:
        raise trail.TrailError("the disk is full")

    monkeypatch.setattr(trail.Trail, "write", full)
    assert state(asking(DISTRICT), ALERT, "handled")[0] == 503
    assert len(deliveries.scan(site)) == 1


def test_the_same_write_sent_by_many_at_once_counts_once(site: Settings, asking: Asking) -> None:
    clients = [asking(DISTRICT) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        told = [*threads.map(lambda one: state(one, ALERT, "seen"), clients)]
    assert sorted(status for status, _ in told) == [200, 200, 200, 201]
    assert len(deliveries.scan(site)) == 1
