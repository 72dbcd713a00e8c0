"""Releases go by rule and never by count: the newest, the last of each month and named ones stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from jobs import settings as site
from jobs.cli.main import app
from jobs.publish import kept, publication
from jobs.publish import release as releases
from jobs.publish.published_models import Model
from jobs.publish.release import CITY, Release
from jobs.settings import Settings, UserError
from jobs.site import KeptReleases

from .conftest import MODELS, build


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return replace(site.load("beijing"), kept_releases=KeptReleases(newest=2))


@pytest.fixture
def publish_day(settings: Settings, tmp_path: Path) -> Callable[..., Release]:
    def publish_it(day: str, rule: KeptReleases | None = None) -> Release:
        build_file = tmp_path / "build.duckdb"
        build_file.unlink(missing_ok=True)
        with duckdb.connect(str(build_file)) as con:
            con.execute("create table dim_indicator as select 1 as target")
        return publication.publish(
            replace(settings, kept_releases=rule) if rule else settings,
            f"{day}.1",
            build_file,
            {"dim_indicator": Model("dim_indicator", CITY, "management")},
            {},
            as_of_date=day,
            known_at=day,
            code_version="0",
        )

    return publish_it


def left(settings: Settings) -> list[int]:
    return releases.numbers(settings.releases)[::-1]


def test_the_last_of_each_month_and_the_newest_stay(
    publish_day: Callable[..., Release], settings: Settings
) -> None:
    days = ["2025-11-03", "2025-11-20", "2025-12-01", "2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"]
    for day in days:
        publish_day(day)
    assert left(settings) == [2, 3, 6, 7]
    assert releases.current(settings).number == 7
    assert releases.find(settings, 1) is None
    assert kept.why(settings, kept.all_kept(settings)) == {
        7: [kept.CURRENT, kept.NEWEST, kept.MONTH],
        6: [kept.NEWEST],
        3: [kept.MONTH],
        2: [kept.MONTH],
    }
    # However many a month has, they take nothing of the months before, and numbers never come back.
    for day in range(1, 6):
        publish_day(f"2026-04-{day:02}")
    assert left(settings) == [2, 3, 7, 11, 12]
    assert not [path.name for path in settings.releases.iterdir() if path.name.startswith(".gone")]


def test_without_months_the_newest_alone_stay(
    publish_day: Callable[..., Release], settings: Settings
) -> None:
    for month in range(1, 6):
        publish_day(f"2026-0{month}-01", KeptReleases(newest=3, last_of_month=False))
    assert left(settings) == [3, 4, 5]


def test_a_named_release_stays_until_its_name_is_taken_away(
    publish_day: Callable[..., Release], settings: Settings
) -> None:
    for day in range(1, 4):
        publish_day(f"2026-01-0{day}")
    with pytest.raises(UserError, match="keeps no release 1") as told:
        kept.name(settings, 1, "年初")
    assert "release list" in told.value.way_out
    kept.name(settings, 2, "年初")
    kept.name(settings, 2, "年初")
    kept.name(settings, 2, " 初稿 ")
    with pytest.raises(UserError, match="is the name of release 2"):
        kept.name(settings, 3, "年初")
    for nonsense in ("", "  ", "17", "a\nb", "长" * 41):
        with pytest.raises(UserError, match="cannot name"):
            kept.name(settings, 3, nonsense)
    for day in range(4, 7):
        publish_day(f"2026-01-0{day}")
    assert left(settings) == [2, 5, 6]
    assert (kept.numbered(settings, "初稿"), kept.numbered(settings, "5")) == (2, 5)

    assert kept.unname(settings, "年初") == 2
    publish_day("2026-01-07")
    assert left(settings) == [2, 6, 7], "one of its two names is left"
    assert kept.unname(settings, "初稿") == 2
    with pytest.raises(UserError, match="keeps no release 初稿"):
        kept.unname(settings, "初稿")
    publish_day("2026-01-08")
    assert left(settings) == [7, 8]


def test_no_release_goes_while_names_cannot_be_read(
    publish_day: Callable[..., Release], settings: Settings
) -> None:
    for day in range(1, 4):
        publish_day(f"2026-01-0{day}")
    kept.name(settings, 2, "年初")
    (settings.releases / "names.json").write_bytes(b'{"\xe5')
    for day in range(4, 7):
        publish_day(f"2026-01-0{day}")
    assert left(settings) == [2, 3, 4, 5, 6]
    with pytest.raises(UserError, match=r"damaged: .*names\.json"):
        kept.names(settings)


def test_the_list_and_the_names_on_the_command_line(
    publish_day: Callable[..., Release], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    call = CliRunner()
    none = call.invoke(app, ["release", "list"], catch_exceptions=False)
    assert "./edulake run" in none.output
    publish_day("2026-01-31")
    publish_day("2026-02-01")
    publish_day("2026-02-28")
    named = call.invoke(app, ["release", "name", "1", "2026年1月定稿"], catch_exceptions=False)
    assert (named.exit_code, "kept as 2026年1月定稿" in named.output) == (0, True)
    shown = call.invoke(app, ["release", "list"], catch_exceptions=False).output
    for words in ("2026-01-31", "2026年1月定稿", "当前 current", "for good, while"):
        assert words in shown, shown
    told = json.loads(call.invoke(app, ["release", "list", "--format", "json"]).stdout)
    assert [(one["release"], one["kept_because"]) for one in told] == [
        (3, ["current", "newest", "month"]),
        (2, ["newest"]),
        (1, ["newest", "month", "named"]),
    ]
    assert told[1]["kept_until_en"] == "until 4 newer ones are out"
    asked = ["sql", "--release", "2026年1月定稿", "select release from _release", "--csv"]
    assert call.invoke(app, asked, catch_exceptions=False).stdout.split()[-2:] == ["release", "1"]
    asked[2] = "no such"
    with pytest.raises(UserError, match="keeps no release no such"):
        call.invoke(app, asked, catch_exceptions=False)
    assert call.invoke(app, ["release", "unname", "2026年1月定稿"], catch_exceptions=False).exit_code == 0


@pytest.mark.parametrize("change", ["run, code and table versions", "order and layout"])
def test_what_is_shown_already_is_not_published_again(
    publish: Callable[..., Release], settings: Settings, tmp_path: Path, change: str
) -> None:
    first = publish("2026-09-10.1")
    order = "desc" if change == "order and layout" else "asc"
    said = {"as_of_date": "2026-09-10", "code_version": "another", "inputs": {"ops__check": 9}}
    again = publish("2026-09-10.2", build(tmp_path / "again.duckdb", order=order), **said)
    assert (again, releases.current(settings)) == (first, first)
    assert releases.numbers(settings.releases) == [1]


@pytest.mark.parametrize("change", ["a value", "a day", "a meaning", "who may see it", "a damaged file"])
def test_whatever_readers_would_see_is_published(
    publish: Callable[..., Release], settings: Settings, tmp_path: Path, change: str
) -> None:
    publish("2026-09-10.1")
    said: dict[str, object] = {"as_of_date": "2026-09-10"}
    build_file = build(tmp_path / "again.duckdb")
    match change:
        case "a value":
            with duckdb.connect(str(build_file)) as con:
                con.execute("update dim_indicator set target = 90.6")
        case "a day":
            said["known_at"] = "2026-09-11"
        case "a meaning":
            told = replace(MODELS["dim_indicator"], description="what the plan asks for")
            said["models"] = {**MODELS, told.name: told}
        case "who may see it":
            # Without the step of `major` a person would be asked.
            shown = replace(MODELS["fct_school_fitness"], scope=CITY, major=2)
            said["models"] = {**MODELS, shown.name: shown}
        case "a damaged file":
            damaged = settings.releases / "1" / "city.duckdb"
            damaged.chmod(0o600)
            damaged.write_bytes(damaged.read_bytes()[:-1])
    assert publish("2026-09-10.2", build_file, **said).number == 2
    assert releases.current(settings).number == 2
