"""The page for senders in a real browser: from a dropped file to the mended one, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jobs.lake import withdrawals
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

from ..test_page import CHROMIUM, FLAGS, not_run, served
from .conftest import CALLERS, DISTRICT
from .test_routes import returns


@pytest.fixture
def page(settings: Settings) -> Iterator[Any]:
    """The page as the clerk of a district opens it on a phone."""
    if CHROMIUM is None:
        not_run("chromium")
    from playwright.sync_api import sync_playwright

    app = create_app(settings.prepare(), EverybodyIs(CALLERS["district"]))
    with served(app) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_context(viewport={"width": 390, "height": 800}, locale="zh-CN").new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        opened.goto(f"{address}/hand-in")
        opened.wait_for_selector("main[aria-busy=false]")
        yield opened
        browser.close()
    app.state.desk.close()
    assert errors == []


def card(page: Any, name: str, word: str) -> Any:
    """The card of a file once it has this verdict."""
    found = page.locator("#result-list article", has_text=name).filter(has_text=word).first
    found.wait_for(timeout=60_000)
    return found


@pytest.mark.slow
def test_from_a_dropped_file_to_the_mended_one(page: Any, settings: Settings, tmp_path: Path) -> None:
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    bad = returns().decode() + f"2111000009,{DISTRICT},2024,P9,x\n"
    page.evaluate(
        """([csv]) => {
            const given = new DataTransfer();
            given.items.add(new File([csv], "年级.csv"));
            given.items.add(new File([new Uint8Array([255, 216, 255, 224, 0, 0])], "IMG_1.jpg"));
            const event = new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true });
            document.getElementById("drop").dispatchEvent(event);
        }""",
        [bad],
    )
    assert "这是图片" in card(page, "IMG_1.jpg", "整份退回").inner_text()
    told = card(page, "年级.csv", "部分退回")
    assert told.locator(".counts dd").all_inner_texts() == ["6", "5", "1", "0", "0"]
    assert "第 7 行" in told.locator("tbody tr").first.inner_text()
    assert "下一步" in told.inner_text()
    with page.expect_download() as download:
        told.get_by_role("link", name="下载标注工作簿").click()
    download.value.save_as(tmp_path / "marked.xlsx")
    assert len(openpyxl.load_workbook(tmp_path / "marked.xlsx").sheetnames) == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing stands out of a phone"

    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="改好后重新报送").first.click()
    chooser.value.set_files({"name": "年级.csv", "mimeType": "text/csv", "buffer": returns(schools=6)})
    card(page, "年级.csv", "正常接收")

    first = page.locator("#past > li").first
    first.get_by_role("button").wait_for()
    page.locator("#past > li").nth(1).wait_for()
    assert "正常接收" in first.inner_text()
    first.get_by_role("button").click()
    first.get_by_text("撤回这次报送").click()
    first.get_by_label("撤回原因").fill("日期有误")
    first.get_by_role("button", name="确认撤回").click()
    page.locator("#past > li", has_text="已撤回").wait_for()
    assert [one.reason for one in withdrawals.load(settings).values()] == ["日期有误"]

    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Hand files in").wait_for()
