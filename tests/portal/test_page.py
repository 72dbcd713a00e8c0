"""The page in a real browser: what it shows is what the API says, and it asks nobody else."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
from jobs.settings import ROOT, Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

OFFICIAL = Caller(Role.CITY, "official")

WEB = ROOT / "portal" / "web"
STATIC = ROOT / "portal" / "static"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def not_run(what: str) -> None:
    print(f"NOT RUN: {what}")
    pytest.skip(f"NOT RUN: {what}")


@pytest.fixture(scope="module")
def address(published: Settings) -> Iterator[str]:
    """The portal of the shared release, served on a free port."""
    with serving(published) as address:
        yield address


def serving(settings: Settings) -> AbstractContextManager[str]:
    return served(create_app(settings, EverybodyIs(OFFICIAL)))


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address of an application while the block runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Visit:
    """A browser page that notes every request, console error and exception."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("main[aria-busy=false]")

    def told(self, path: str) -> Any:
        return httpx.get(self.address + path).raise_for_status().json()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        not_run("chromium")
    # Imported here: a machine without a browser need not have its driver either.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    visit = Visit(context.new_page(), address)
    yield visit
    context.close()
    assert visit.requests, "no request was seen: nothing was tested"
    assert [url for url in visit.requests if not url.startswith((address, "data:"))] == []
    assert visit.errors == []


def shown(number: float | None) -> str:
    return f"{number:,.6f}".rstrip("0").rstrip(".")


def test_four_cards_show_what_the_api_says(visit: Visit) -> None:
    visit.go("/")
    cards = visit.told("/api/v1/cards")["cards"]
    assert visit.page.locator("html").get_attribute("lang") == "zh-CN"
    assert visit.page.locator("article.card").count() == len(cards) == 4
    for card in cards:
        box = f"article[data-service={card['service']}]"
        assert visit.texts(f"{box} h3") == [card["title_zh"]]
        assert card["definition_zh"] in visit.texts(f"{box} dl")[0]
        if card["status"] == "no_data":
            assert visit.texts(f"{box} .figure") == ["本站点无此数据"]
            assert visit.page.locator(f"{box} svg").count() == 0
            continue
        mark = "数据不全" if card["is_complete"] is False else ""
        assert visit.texts(f"{box} .figure") == [shown(card["figure_value"]) + card["figure_unit_zh"] + mark]
        assert card["period_label"] in visit.texts(f"{box} dl")[0]
        assert visit.page.locator(f"{box} .chart svg path").count() > 3, "the chart is drawn"
        visit.page.locator(f"{box} summary").click()
        table = [
            [cell.inner_text() for cell in row.locator("th, td").all()]
            for row in visit.page.locator(f"{box} tbody tr").all()
        ]
        assert [row[:2] for row in table] == [[str(p["x"]), shown(p["y"])] for p in card["series"]]
    fan = visit.texts("article[data-service=places] tbody tr:nth-child(5) td")
    assert fan == ["1,084,600", "1,072,300", "1,096,900"]


def test_no_label_of_a_chart_is_cut_off(visit: Visit) -> None:
    visit.go("/")
    cut = """boxes => boxes.flatMap(box => {
        const frame = box.getBoundingClientRect();
        return [...box.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()])
            .filter(([, at]) => at.left < frame.left - 1 || at.right > frame.right + 1).map(([told]) => told);
    })"""
    charts = visit.page.locator(".chart svg")
    assert charts.locator("text").count() > 30
    assert charts.evaluate_all(cut) == []


def test_head_names_site_release_and_date(visit: Visit) -> None:
    visit.go("/")
    release = visit.told("/api/v1/release")
    assert visit.texts("h1") == [release["title_zh"]]
    assert visit.page.title() == f"{release['title_zh']} · 合成数据"
    head = visit.texts("#release")[0]
    assert f"第 {release['release']} 版" in head
    assert release["as_of_date"] in head


def test_a_made_up_city_says_so_on_each_page_chart_and_print(visit: Visit) -> None:
    for path in ("/", "/#/tables/fct_school_fitness", "/docs"):
        visit.go(path)
        banner = visit.page.locator(".origin")
        assert banner.inner_text().startswith("合成数据")
        visit.page.emulate_media(media="print")
        assert banner.is_visible()
        visit.page.emulate_media(media="screen")
    visit.go("/")
    charts = visit.page.locator(".chart svg").all()
    assert len(charts) == 3
    for chart in charts:
        assert "合成数据" in chart.locator("text").all_text_contents()
    assert visit.page.locator("article.card .label .made-up").count() == 4
    visit.page.get_by_role("button", name="English").click()
    visit.page.wait_for_selector("html[lang=en]")
    visit.ready()
    assert "Synthetic data" in visit.page.locator(".origin").inner_text()
    assert "Synthetic data" in visit.page.locator(".chart svg text").all_text_contents()


def test_a_real_city_says_nothing_of_the_kind(
    browser: Any, settings: Settings, publish: Callable[..., Release]
) -> None:
    real = dataclasses.replace(settings, is_synthetic=False)
    publish(1, site=real)
    with serving(real) as address:
        page = browser.new_page()
        for path in ("/", "/#/tables/fct_school_fitness", "/docs"):
            page.goto(address + path)
            page.wait_for_selector("main[aria-busy=false]")
            assert "合成" not in page.content()
        page.close()


def test_a_sum_that_misses_members_is_marked_at_its_figure(visit: Visit) -> None:
    visit.go("/")
    assert visit.texts("article[data-service=places] .figure .incomplete") == ["数据不全"]
    assert visit.page.locator(".incomplete").count() == 1
    visit.go("/#/tables/fct_place_outlook")
    figures = visit.texts("table.rows tbody td:nth-child(3)")
    assert sorted(figures) == [f"{1000 + i}{'' if i % 4 else '†'}" for i in range(8)]
    assert "2 行" in visit.texts(".incomplete-note")[0]
    visit.go("/#/tables/fct_school_fitness")
    assert visit.page.locator(".incomplete-note, abbr.mark").count() == 0


def test_three_lists_link_the_tables_that_are_open(visit: Visit) -> None:
    visit.go("/")
    platforms = visit.told("/api/v1/platforms")["platforms"]
    assert visit.texts("section.platform h3") == ["教育公共管理", "教育公共服务", "教育公共资源"]
    for platform in platforms:
        items = visit.page.locator(f"section[data-platform={platform['platform']}] li")
        assert items.count() == len(platform["items"]) > 0
        for item, line in zip(platform["items"], items.all(), strict=True):
            assert item["title_zh"] in line.inner_text()
            assert f"{shown(item['row_count'])} 行" in line.inner_text()
            assert line.get_by_role("link").count() == (2 if item["href"] else 0)


def test_a_table_is_read_page_by_page_and_downloaded(visit: Visit) -> None:
    visit.go("/")
    visit.page.get_by_role("link", name="学校体质结果", exact=True).click()
    visit.page.wait_for_selector("table.rows")
    assert visit.texts("main h2") == ["学校体质结果"]
    assert visit.page.locator("table.rows tbody tr").count() == 50
    assert visit.texts("table.rows thead th")[1] == "学校标识码"
    assert '=HYPERLINK("http://x")' in visit.texts("table.rows tbody tr:nth-child(4)")[0], "shown as text"
    visit.page.get_by_role("link", name="下一页").click()
    visit.page.wait_for_selector("text=第 51–100 行，共 240 行")
    visit.page.go_back()
    visit.page.wait_for_selector("text=第 1–50 行，共 240 行")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="下载 CSV（中文表头）").click()
    file = Path(download.value.path())
    assert download.value.suggested_filename == "学校体质结果-1.csv"
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(file.read_text("utf-8-sig").splitlines()) == 241


def test_a_page_is_of_one_release_though_a_newer_one_comes(
    browser: Any, settings: Settings, publish: Callable[..., Release]
) -> None:
    """The next page of an open table, and its address opened later: rows, head and files of one release."""
    publish(1)
    with serving(settings) as address:
        page = browser.new_page()
        page.goto(f"{address}/#/tables/dim_school")
        page.wait_for_selector("text=第 1–50 行，共 240 行")
        publish(2, schools=150)
        page.get_by_role("link", name="下一页").click()
        page.wait_for_selector("text=第 51–100 行，共 240 行")
        for _ in range(2):
            assert {*page.locator("table.rows tbody td:first-child").all_inner_texts()} == {"1"}
            assert "第 1 版" in page.locator("#release").inner_text()
            assert "最新为第 2 版" in page.locator("#older").inner_text()
            assert "release=1" in str(page.get_by_role("link", name="CSV").first.get_attribute("href"))
            page.reload()
            page.wait_for_selector("table.rows")
        page.get_by_role("link", name="看最新版").click()
        page.wait_for_selector("text=第 1–50 行，共 150 行")
        assert "第 2 版" in page.locator("#release").inner_text()
        page.goto(f"{address}/#/tables/dim_school?cursor=1-50")
        page.get_by_role("alert").get_by_role("link", name="回到第一页").click()
        page.wait_for_selector("text=第 1–50 行，共 150 行")
        page.close()


def test_keyboard_alone_reaches_content_and_language(visit: Visit) -> None:
    visit.go("/")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.id") == "skip"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"
    visit.page.get_by_role("button", name="English").press("Enter")
    visit.page.wait_for_selector("html[lang=en]")
    visit.ready()
    assert visit.texts("article h3") == [card["title_en"] for card in visit.told("/api/v1/cards")["cards"]]
    visit.page.reload()
    visit.ready()
    assert visit.page.locator("html").get_attribute("lang") == "en", "the choice is remembered"


@pytest.mark.parametrize("path", ["/", "/#/tables/fct_school_fitness", "/docs"])
def test_a_phone_needs_no_sideways_scrolling(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size({"width": 375, "height": 780})
    visit.go(path)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 375


def test_paper_has_the_folded_figures(visit: Visit) -> None:
    visit.go("/")
    visit.page.emulate_media(media="print")
    assert not visit.page.locator("article tbody").first.is_visible()
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert visit.page.locator("article tbody").first.is_visible()
    assert not visit.page.locator("#tools").is_visible()


def test_the_api_page_asks_the_api(visit: Visit) -> None:
    visit.go("/docs")
    paths = visit.told("/api/v1/openapi.json")["paths"]
    assert visit.page.locator("article.operation").count() == sum(map(len, paths.values())) > 5
    visit.page.get_by_label("查找").fill("/tables/{name}")
    of_table = [path for path in paths if "/tables/{name}" in path]
    assert visit.page.locator("article.operation:visible").count() == len(of_table) < 5
    exact = visit.page.get_by_text("GET /api/v1/tables/{name}", exact=True)
    operation = visit.page.locator("article.operation", has=exact)
    operation.get_by_label("name").fill("fct_indicator_value")
    operation.get_by_label("limit").fill("2")
    operation.get_by_role("button").click()
    operation.locator("pre").wait_for()
    assert "→ 200 · X-Data-Release 1" in operation.inner_text()
    assert '"indicator_no": 1' in operation.locator("pre").inner_text()


def test_an_unknown_table_says_so_and_offers_a_way_on(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/#/tables/no_such_table")
    page.wait_for_selector("main[aria-busy=false]")
    assert "没有这张表" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="重新加载").is_visible()
    page.close()


@pytest.mark.slow
def test_the_built_page_is_what_its_sources_make(tmp_path: Path) -> None:
    """Needs Node and the packages of the lock file, which it installs if they are not there."""
    if shutil.which("npm") is None:
        not_run("node")
    if not (WEB / "node_modules").is_dir():
        installed = subprocess.run(["npm", "ci"], cwd=WEB, capture_output=True, text=True)
        if installed.returncode:
            not_run("npm ci (no network?)")
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=WEB, check=True)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert sorted(built) == sorted(committed)
    differing = [name for name in built if built[name] != committed[name]]
    assert not differing, f"run `npm ci && npm run build` in portal/web and commit: {differing}"
