"""People sign in by a real provider of identities, which runs on this machine for the test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from oidc_provider_mock import run_server_in_thread

from jobs.access import trail
from jobs.access.caller import Role
from jobs.access.claims import NobodyError, caller
from jobs.access.store import open_store
from jobs.settings import Settings
from jobs.site import SignIn
from portal.access.keeper import SiteKeeper
from portal.app import create_app

from .conftest import HERE

# As a platform of unified sign-in (统一身份认证) names them: name, kind of role, organization, district.
PEOPLE = {
    "u-city": {"ryxm": "李处长", "jslx": "02", "jgdm": "110000"},
    "u-district": {"ryxm": "王科长", "jslx": "03", "jgdm": "110105"},
    "u-school": {"ryxm": "张老师", "jslx": "09,04", "jgdm": "2111050001", "qxdm": "110105"},
    "u-homeless": {"ryxm": "赵老师", "jslx": "04", "jgdm": "2111050001"},
    "u-nobody": {"ryxm": "钱先生", "jslx": "99", "jgdm": "110105"},
}
CLAIMS: dict[str, Any] = {
    "name": "ryxm",
    "role": "jslx",
    "unit": "jgdm",
    "district": "qxdm",
    "roles": {"01": "steward", "02": "city", "03": "district", "04": "school"},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a provider that knows these people."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with run_server_in_thread(require_nonce=True) as server:
        address = f"http://localhost:{server.server_port}"
        for subject, claims in PEOPLE.items():
            httpx.put(f"{address}/users/{subject}", json=claims).raise_for_status()
        yield address


@pytest.fixture
def site(town: Settings, provider: str, tmp_path: Path) -> Settings:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    told = SignIn(issuer=provider, client_id="edulake", secret_file=secret, **CLAIMS)
    return replace(town, home=tmp_path / "home", sign_in=told, is_synthetic=False)


@pytest.fixture
def browser(site: Settings) -> Iterator[TestClient]:
    app = create_app(site, SiteKeeper(site, open_store(site)))
    yield TestClient(app, HERE, follow_redirects=False)
    app.state.trail.close()


def there(browser: TestClient) -> str:
    """The address of the provider to which the portal sends the browser."""
    sent = browser.get("/sign-in/start")
    assert sent.status_code == 303
    return sent.headers["location"]


def back(address: str, subject: str) -> str:
    """The person says at the provider who he is; where the provider sends him then."""
    return httpx.post(address, data={"sub": subject}).headers["location"]


@pytest.mark.parametrize(
    ("subject", "role", "unit", "district", "audience"),
    [
        ("u-city", "city", "110000", "", "city"),
        ("u-district", "district", "110105", "110105", "district-110105"),
        ("u-school", "school", "2111050001", "110105", "district-110105"),
    ],
)
def test_a_person_signs_in_and_is_who_his_claims_say(
    browser: TestClient, site: Settings, subject: str, role: str, unit: str, district: str, audience: str
) -> None:
    address = there(browser)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    entered = browser.get(back(address, subject))
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    me = browser.get("/api/v1/me").json()
    assert (me["role"], me["unit_code"], me["district_code"]) == (role, unit, district)
    assert (me["name"], me["audience"]) == (PEOPLE[subject]["ryxm"], audience)
    [line] = trail.lines(site, subject)
    assert line["act"] == "signed-in"
    assert PEOPLE[subject]["ryxm"] not in str(line)


@pytest.mark.parametrize(("subject", "word"), [("u-nobody", "角色"), ("u-homeless", "区代码")])
def test_a_person_without_a_role_or_place_is_refused_in_words(
    browser: TestClient, subject: str, word: str
) -> None:
    refused = browser.get(back(there(browser), subject))
    assert refused.status_code == 403
    assert word in refused.text
    assert browser.get("/api/v1/me").json()["role"] == "public"


def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(
    browser: TestClient, site: Settings
) -> None:
    # Somebody plants his own answer in another browser.
    planted = back(there(browser), "u-city")
    other = TestClient(browser.app, HERE, follow_redirects=False)
    assert other.get(planted).status_code == 400
    # An answer is good once, with its own state.
    address = there(browser)
    answer = back(address, "u-city")
    assert browser.get(answer.replace("state=", "state=x")).status_code == 400
    assert browser.get(answer).status_code == 303
    assert browser.get(answer).status_code == 400
    denied = browser.get("/sign-in/back?error=access_denied&state=x")
    assert (denied.status_code, "登录未完成" in denied.text) == (400, True)
    refused = [line for line in trail.lines(site) if line["act"] == "sign-in-refused"]
    assert len(refused) == 4


def test_a_token_with_another_nonce_is_refused(browser: TestClient) -> None:
    address = there(browser)
    nonce = parse_qs(urlsplit(address).query)["nonce"][0]
    assert browser.get(back(address.replace(nonce, "replayed"), "u-city")).status_code == 400


def test_a_code_of_another_sign_in_is_refused(browser: TestClient) -> None:
    code = parse_qs(urlsplit(back(there(browser), "u-city")).query)["code"][0]
    second = back(there(browser), "u-city")
    state = parse_qs(urlsplit(second).query)["state"][0]
    got = browser.get(f"/sign-in/back?code={code}&state={state}")
    assert got.status_code == 400


def test_a_provider_that_is_away_is_told_in_words(site: Settings) -> None:
    assert site.sign_in is not None
    away = replace(site, sign_in=site.sign_in.model_copy(update={"issuer": "http://127.0.0.1:9"}))
    browser = TestClient(create_app(away, SiteKeeper(away)), HERE, follow_redirects=False)
    page = browser.get("/sign-in/start")
    assert page.status_code == 503
    assert "统一身份认证暂时无法使用" in page.text
    assert browser.get("/sign-in").status_code == 200


def test_a_real_site_has_no_demonstration_users(browser: TestClient) -> None:
    page = browser.get("/sign-in").text
    assert "统一身份认证" in page
    assert "demo-" not in page
    assert browser.post("/sign-in/demonstration", data={"subject": "demo-city"}).status_code == 404


@pytest.mark.parametrize("issuer", ["http://id.example", "id.example", "ftp://127.0.0.1"])
def test_a_provider_is_asked_over_https_only(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        SignIn(issuer=issuer, client_id="x")


def test_claims_may_be_lists_and_the_first_role_of_the_settings_counts() -> None:
    told = SignIn(issuer="https://id.example", client_id="x", **CLAIMS)
    both = caller(told, {"sub": "u", "jslx": ["04", "03"], "jgdm": "110105"})
    assert (both.role, both.unit_code) == (Role.DISTRICT, "110105")
    with pytest.raises(NobodyError):
        caller(told, {"jslx": "02"})
    with pytest.raises(NobodyError):
        caller(told, {"sub": "u", "jslx": True})
