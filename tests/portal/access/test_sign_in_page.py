"""The pages of signing in, in a real browser: forms go where a policy of content lets them go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..test_page import CHROMIUM, FLAGS, not_run, served
from .conftest import Town


@pytest.fixture
def page(portal: Town) -> Iterator[Any]:
    """A browser of a made-up site, before anybody has signed in."""
    if CHROMIUM is None:
        not_run("chromium")
    from playwright.sync_api import sync_playwright

    with served(portal.app) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_context(base_url=address, locale="zh-CN").new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        yield opened
        browser.close()
        assert errors == []


def test_somebody_of_the_demonstration_signs_in_hands_in_and_signs_out(page: Any) -> None:
    page.goto("/hand-in")
    page.get_by_role("heading", name="请先登录再报送").wait_for()
    page.get_by_role("main").get_by_role("link", name="登录").click()
    page.get_by_role("button", name="报送员 · 演示").click()
    page.wait_for_url("**/hand-in")
    page.get_by_text("报送员 · 演示").wait_for()
    page.locator("#drop").wait_for()
    page.get_by_role("link", name="账号").click()
    page.get_by_role("button", name="退出登录").click()
    page.goto("/hand-in")
    page.get_by_role("heading", name="请先登录再报送").wait_for()
