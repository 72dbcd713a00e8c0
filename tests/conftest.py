"""What the tests share: one Spark server for the whole run, a storage root for each test.

A test that asks for `spark` shares the server; its `settings` point there, in the environment too, so that
tasks called by it find the same. A test without `spark` starts no Java.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs import settings as site_settings
from jobs.screen import Screen
from jobs.settings import Settings
from jobs.spark import server as spark_engine

from . import canaries

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--chaos all`: every kill of `test_chaos`; `--chaos 17`: that seed's."""
    parser.addoption("--chaos", default="", help="all, or the seed of one kill, of tests/test_chaos.py")


def pytest_configure() -> None:
    """Let what the tests start be interrupted, even where a shell in the background ignores that signal."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name files' bytes by their number: their text changes with the second at which an archive is made."""
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None


# Minutes of work that needs no finished lake.
ELSEWHERE = ("jobs/ingest", "jobs/spark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first: one of minutes that begins last leaves the other processes idle. One file of them has
    `lake` built; those that would only wait for it come when it is there.
    """
    here = Path(__file__).parent
    whole = [item for item in items if item.path.parent == here]
    waits = [item.path for item in whole if "finished" in getattr(item, "fixturenames", ())]

    def place(item: pytest.Item) -> int:
        if item.path.parent != here:
            return 2 if item.path.parent.relative_to(here).as_posix() in ELSEWHERE else 4
        return 1 if item.path not in waits else 0 if item.path == waits[0] else 3

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A missing tool skips a test with `NOT RUN: <tool>`. In CI, which installs it, that is a failure."""
    report = yield
    is_skipped = call.excinfo is not None and call.excinfo.errisinstance(pytest.skip.Exception)
    if is_skipped and os.environ.get("CI") and item.get_closest_marker("slow") is None:
        assert call.excinfo is not None
        if (reason := str(call.excinfo.value)).startswith("NOT RUN"):
            report.outcome, report.longrepr = "failed", reason
    return report


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """No test sees a developer's own lake or settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("EDULAKE_", "AIRFLOW_"))]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _no_site_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test's process works for the site that the test loads, not for that of the test before it."""
    monkeypatch.setattr(site_settings, "_own_lists", None)
    # pytest's own processes have the width of the terminal that they were started in.
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session", autouse=True)
def _no_file_system_of_python() -> Iterator[None]:
    """Arrow's threads that drop one while the interpreter ends abort the process: `tables.open_arrow`."""

    def refuse(*_: object) -> None:
        raise AssertionError("a Delta table is read by way of Python: use jobs.lake.tables.open_arrow")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deltalake.fs.DeltaStorageHandler.from_table", refuse)
        yield


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the shared server alone; tests keep nothing there."""
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def engine_url(engine_home: Path) -> Iterator[str]:
    """The address of the one server of this test run; stopped by its process id at the end."""
    own = site_settings.load("beijing", home=engine_home)
    yield spark_engine.start(own).url
    spark_engine.stop(own)


@pytest.fixture(scope="session")
def spark(engine_home: Path, engine_url: str) -> Iterator[SparkSession]:
    """One session for all tests: do not change its settings, and write only below your own root."""
    with spark_engine.session(site_settings.load("beijing", home=engine_home)) as session:
        yield session


@pytest.fixture
def make_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Settings]:
    """`make_settings("nyc")`: a site of this test alone, its folders made, the environment pointing there."""

    def make(site: str = "beijing") -> Settings:
        monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("EDULAKE_SITE", site)
        if "engine_url" in request.fixturenames:
            monkeypatch.setenv("EDULAKE_SPARK", request.getfixturevalue("engine_url"))
        return site_settings.load().prepare()

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """The Beijing site with a storage root of this test alone."""
    return make_settings()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, engine_url: str) -> tuple[Settings, dict[str, str]]:
    """The lake of `lake`, and what `typed` says. Of several test processes one builds it, each has a copy."""
    own = tmp_path_factory.mktemp("lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_SITE", "beijing")
        patch.setenv("EDULAKE_SPARK", engine_url)
        with built_once(tmp_path_factory, "lake") as built:
            patch.setenv("EDULAKE_HOME", str(built))
            typed = built / "typed.json"
            if not typed.exists():
                typed.write_text(json.dumps(_build_lake()))
        shutil.copytree(built / "beijing", own / "beijing")
        patch.setenv("EDULAKE_HOME", str(own))
        return site_settings.load(), json.loads(typed.read_text())


@contextmanager
def built_once(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that all test processes share. One is in the block at a time: the first builds what the others
    find.
    """
    base = factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"built_{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _build_lake() -> dict[str, str]:
    """Build the smallest city's lake by the tasks of a run; what one of its senders typed."""
    from jobs.run import command

    from .by_tasks import run_by_tasks

    settings = site_settings.load().prepare()
    command.prepare_input(settings, scale=0.002, seed=7, console=Screen(quiet=True))
    typed = canaries.plant(settings.landing)
    run_by_tasks(settings, seed=7)
    return typed


@pytest.fixture(scope="session")
def lake(finished: tuple[Settings, dict[str, str]]) -> Settings:
    """One finished lake of the smallest city, built by the tasks of a run; for reading only."""
    return finished[0]


@pytest.fixture(scope="session")
def typed(finished: tuple[Settings, dict[str, str]]) -> dict[str, str]:
    """Number -> place: what one sender of `lake` typed where it tells of nobody (`canaries`)."""
    return finished[1]
