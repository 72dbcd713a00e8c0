"""The life of a release: draft, checklist, approval, publication, notes. Killed, it is old or new."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from jobs import settings as site
from jobs.cli.main import app
from jobs.lake import runs, tables
from jobs.publish import checklist, drafts, journal, kept, publication
from jobs.publish import release as releases
from jobs.publish.published_models import Renamed
from jobs.publish.release import CITY, Release
from jobs.settings import Settings, UserError
from jobs.site import ReleaseRule

from .conftest import MODELS, build

Publish = Callable[..., Release]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return replace(site.load("beijing"), release=ReleaseRule(approval="person"))


def events(settings: Settings, number: int) -> list[tuple[str, str]]:
    return [(one.event, one.by) for one in journal.events(settings.releases, number)]


def item(release: Release, check: str) -> dict:
    return next(one for one in release.manifest["checklist"] if one["check"] == check)


def test_a_person_lets_the_release_out(publish: Publish, settings: Settings) -> None:
    draft = publish("2026-09-10.1")
    assert (draft.is_draft, releases.current(settings), kept.all_kept(settings)) == (True, None, [])
    releases.verify(draft)
    assert publish("2026-09-10.1").folder == draft.folder, "again: the same draft"
    assert tables.rows(settings, "ops__public_cell") == [], "nobody has read it yet"

    done = publication.approve(settings, 1, "王芳", "已核对")
    assert releases.current(settings) == done
    assert done.folder == settings.releases / "1"
    assert events(settings, 1) == [("drafted", "2026-09-10.1"), ("approved", "王芳"), ("published", "")]
    assert publication.approve(settings, 1, "王芳") == done, "again: nothing"
    assert len(events(settings, 1)) == 3
    assert drafts.waiting(settings) is None
    with pytest.raises(UserError, match="release 7 is no draft"):
        publication.approve(settings, 7, "王芳")


def test_the_next_draft_takes_the_place_of_a_rejected_one(publish: Publish, settings: Settings) -> None:
    publish("2026-09-10.1")
    publication.approve(settings, 1, "王芳")
    publish("2026-09-10.2")
    publication.reject(settings, 2, "李明", "海淀区少一所学校")
    assert drafts.state(settings, 2) == drafts.REJECTED
    assert releases.current(settings).number == 1
    assert publish("2026-09-10.3").number == 3, "a number is never used twice"
    assert drafts.numbers(settings.releases) == [3]
    with pytest.raises(UserError, match="release 3"):
        publication.reject(settings, 2, "李明", "again")
    # What the draft shows already is not drafted again, and what the release shows is no draft.
    assert publish("2026-09-10.4", as_of_date="2026-09-12").number == 3
    assert publish("2026-09-10.5", as_of_date="2026-09-10") == releases.current(settings)
    assert drafts.waiting(settings) is None, "what it showed is not so any more"


def test_a_draft_that_a_killed_run_left_is_let_out_by_the_next(publish: Publish, settings: Settings) -> None:
    left = publish("2026-09-10.1")
    asks_nobody = replace(settings, release=ReleaseRule())
    said = {"as_of_date": "2026-09-10", "known_at": "2026-09-10", "code_version": "1", "inputs": {}}
    build_file = settings.home.parent.parent / "build.duckdb"
    done = publication.publish(asks_nobody, "2026-09-10.2", build_file, MODELS, **said)
    assert (done.number, done.run_id, done.is_draft) == (left.number, "2026-09-10.1", False)
    assert releases.current(settings) == done


def test_a_release_goes_out_at_its_time(
    publish: Publish, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("2026-09-10.1")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert publication.approve(settings, 1, "王芳", at=later).is_draft
    assert publication.publish_due(settings) is None
    assert drafts.state(settings, 1) == drafts.SCHEDULED

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return later + timedelta(seconds=1)

    monkeypatch.setattr(drafts, "datetime", Later)
    assert publication.publish_due(settings).number == 1
    assert releases.current(settings).number == 1
    assert publication.publish_due(settings) is None


def test_a_red_check_asks_for_a_person_and_a_reason(
    publish: Publish, settings: Settings, tmp_path: Path
) -> None:
    # No site's setting asks for a person here: the checklist does.
    settings = replace(settings, release=ReleaseRule())
    said = {"as_of_date": "2026-09-10", "known_at": "2026-09-10", "code_version": "0", "inputs": {}}
    first = publication.publish(
        settings, "2026-09-10.1", build(tmp_path / "a.duckdb", pupils=500), MODELS, **said
    )
    assert (first.is_draft, events(settings, 1)[1]) == (False, ("approved", "checklist"))
    said["as_of_date"] = "2026-09-11"
    second = publication.publish(
        settings, "2026-09-10.2", build(tmp_path / "b.duckdb", pupils=90), MODELS, **said
    )
    assert second.is_draft
    lost = item(second, "rows_lost_share")
    assert (lost["state"], lost["measured"]) == (checklist.RED, 0.82)
    assert "fct_pupil_fitness: 500 → 90" in lost["detail"]
    assert releases.current(settings).number == 1
    with pytest.raises(UserError, match="checklist of release 2 is red"):
        publication.approve(settings, 2, "王芳")
    assert publication.approve(settings, 2, "王芳", "学校已撤并").number == 2
    read = releases.open_release(releases.current(settings), CITY).execute(
        "select state from _checklist where \"check\" = 'rows_lost_share'"
    )
    assert read.fetchall() == [(checklist.RED,)]


def test_a_column_that_goes_unannounced_is_red(publish: Publish, settings: Settings, tmp_path: Path) -> None:
    publication.approve(settings, publish("2026-09-10.1").number, "王芳")
    less = build(tmp_path / "less.duckdb")
    with duckdb.connect(str(less)) as con:
        con.execute("alter table fct_school_fitness drop column tested_count")
    draft = publish("2026-09-10.2", less)
    assert item(draft, "breaking_changes")["state"] == checklist.RED
    assert draft.manifest["versions"]["fct_school_fitness"] == "2.0.0"
    assert draft.manifest["versions"]["dim_indicator"] == "1.0.0"
    told = replace(MODELS["fct_school_fitness"], major=2)
    draft = publish("2026-09-10.3", less, models={**MODELS, told.name: told})
    assert item(draft, "breaking_changes")["state"] == checklist.GREEN
    assert item(draft, "announced_changes")["detail"].startswith(
        "fct_school_fitness: column tested_count gone"
    )


def test_an_old_name_can_be_read_until_its_day(publish: Publish, settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, release=ReleaseRule())
    renamed = build(tmp_path / "renamed.duckdb")
    with duckdb.connect(str(renamed)) as con:
        con.execute("alter table fct_school_fitness rename column pass_share to passed_share")
        con.execute("alter table rpt_public__outlook rename column place_count to seat_count")
    until = datetime(2026, 9, 30).date()
    models = {
        **MODELS,
        "fct_school_fitness": replace(
            MODELS["fct_school_fitness"], renamed=(Renamed("pass_share", "passed_share", until),)
        ),
        "rpt_public__outlook": replace(
            MODELS["rpt_public__outlook"],
            renamed=(Renamed("place_count", "seat_count", until),),
            protect={"key": ["district_code", "seat_count"], "harmless": {"seat_count": "no persons"}},
        ),
    }
    said = {"known_at": "2026-09-10", "code_version": "0", "inputs": {}}

    def published(run: int, day: str, file: Path, of: dict = models) -> Release:
        return publication.publish(settings, f"2026-09-10.{run}", file, of, as_of_date=day, **said)

    published(1, "2026-09-28", build(tmp_path / "before.duckdb"), MODELS)
    last = published(2, "2026-09-30", renamed)
    kinds = {(one["table"], one["kind"]) for one in last.manifest["changes"]}
    assert {("fct_school_fitness", "renamed"), ("rpt_public__outlook", "renamed")} <= kinds
    assert last.manifest["versions"]["fct_school_fitness"] == "1.1.0"
    for audience in (CITY, "district-110101"):
        asked = "select count(*) from fct_school_fitness where pass_share is distinct from passed_share"
        assert releases.open_release(last, audience).execute(asked).fetchall() == [(0,)]
    asked = "select sum(place_count) = sum(seat_count) from rpt_public__outlook"
    assert releases.open_release(last, "public").execute(asked).fetchall() == [(True,)]
    after = published(3, "2026-10-01", renamed)
    assert not after.is_draft, "the day was announced"
    columns = [column["name"] for column in after.manifest["tables"]["fct_school_fitness"]["columns"]]
    assert "pass_share" not in columns
    with pytest.raises(duckdb.BinderException, match="place_count"):
        releases.open_release(after, "public").execute("select place_count from rpt_public__outlook")
    assert after.manifest["versions"]["fct_school_fitness"] == "2.0.0"


def test_notes_stand_beside_a_release_whose_files_stay(publish: Publish, settings: Settings) -> None:
    publication.approve(settings, publish("2026-09-10.1").number, "王芳")
    before = {path: path.stat().st_mtime_ns for path in (settings.releases / "1").iterdir()}
    publication.amend(settings, 1, "王芳", "海淀区肥胖人数偏低")
    publication.amend(settings, 1, "王芳", "第2版更正")
    assert {path: path.stat().st_mtime_ns for path in (settings.releases / "1").iterdir()} == before
    releases.verify(releases.current(settings))
    assert [one.note for one in journal.notes(settings.releases, 1)] == ["海淀区肥胖人数偏低", "第2版更正"]
    with pytest.raises(UserError, match="keeps no release 2"):
        publication.amend(settings, 2, "王芳", "…")


def test_a_line_that_a_kill_cut_short_is_none(settings: Settings) -> None:
    settings.releases.mkdir(parents=True)
    journal.write(settings, 1, journal.DRAFTED, "run")
    with journal.file(settings.releases).open("ab") as lines:
        lines.write(b'{"release": 1, "event": "appro')
    journal.write(settings, 1, journal.REJECTED, "王芳", "不符")
    assert events(settings, 1) == [("drafted", "run"), ("rejected", "王芳")]


# Ends the process like a kill at the n-th time that a file is made to last or renamed.
KILLED = """
import os, sys
from dataclasses import replace
from pathlib import Path
from jobs import files, settings
from jobs.publish import audience_files, drafts, journal, publication
from jobs.publish.published_models import Model
from jobs.site import ReleaseRule

home, build_file, step, most = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
site = replace(settings.load("beijing", home), release=ReleaseRule(approval="person"))
left = [most]
def dying(real):
    def call(*given, **named):
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
        return real(*given, **named)
    return call
for module in (files, audience_files, drafts, publication):
    if hasattr(module, "fsync"):
        module.fsync = dying(module.fsync)
Path.rename, Path.replace, os.fsync = dying(Path.rename), dying(Path.replace), dying(os.fsync)
shown = (("dim_indicator", "city"), ("fct_school_fitness", "district_code"))
models = {name: Model(name, scope) for name, scope in shown}
if step == "draft":
    days = {"as_of_date": "2026-09-11", "known_at": "2026-09-11"}
    publication.publish(site, "2026-09-11.1", build_file, models, {}, code_version="0", **days)
else:
    publication.approve(site, 2, "killed")
"""


@pytest.mark.parametrize("step", ["draft", "approve"])
def test_killed_at_any_step_it_is_old_or_new(
    publish: Publish, settings: Settings, tmp_path: Path, step: str
) -> None:
    models = {name: MODELS[name] for name in ("dim_indicator", "fct_school_fitness")}
    build_file = tmp_path / "build.duckdb"
    said = {"known_at": "2026-09-10", "code_version": "0", "inputs": {}}
    publication.publish(settings, "2026-09-10.1", build(build_file), models, as_of_date="2026-09-10", **said)
    publication.approve(settings, 1, "王芳")
    if step == "approve":
        said["known_at"] = "2026-09-11"
        publication.publish(settings, "2026-09-11.1", build_file, models, as_of_date="2026-09-11", **said)
    kills = 0
    while True:
        arguments = [
            str(settings.home.parent),
            str(build_file),
            step,
            str(kills * (4 if step == "draft" else 1)),
        ]
        ended = subprocess.run(
            [sys.executable, "-P", "-c", KILLED, *arguments],
            env=os.environ | {"PYTHONPATH": str(settings.root)},
            check=False,
        ).returncode
        shown = releases.current(settings)
        releases.verify(shown)
        assert shown.number in ((1,) if step == "draft" else (1, 2))
        if ended == 0:
            break
        assert ended == 9
        kills += 1
    assert kills > 2, "no kill met it at work"
    if step == "draft":
        assert drafts.waiting(settings).run_id == "2026-09-11.1"
        releases.verify(drafts.waiting(settings))
    else:
        assert releases.current(settings).number == 2
        assert drafts.waiting(settings) is None


def test_the_commands(publish: Publish, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["release", *words], catch_exceptions=False)
        return done.exit_code, done.output

    row = {
        "run_id": "2026-09-10.1",
        "site": "beijing",
        "state": runs.WAITING,
        "release_number": None,
        "inputs": "{}",
    }
    row |= {"trigger": "test", "code_version": "0", "as_of_date": datetime(2026, 9, 10).date()}
    row |= {"known_at": datetime.now(UTC), "started_at": datetime.now(UTC)}
    tables.append_rows(settings, runs.TABLE, [row], "t", "2026-09-10.1")
    publish("2026-09-10.1")
    code, shown = call("list")
    assert (code, "待审批 draft" in shown) == (0, True), shown
    code, shown = call("check")
    assert (code, "草稿 draft 1" in shown) == (0, True), shown
    code, _ = call("approve", "1", "--by", "王芳", "--note", "已核对")
    assert (code, releases.current(settings).number) == (0, 1)
    assert runs.get(settings, "2026-09-10.1").state == runs.PUBLISHED
    assert call("amend", "1", "--by", "王芳", "--note", "有一处更正")[0] == 0
    code, shown = call("list")
    assert "当前 current" in shown
    assert "有一处更正" in shown
    asked = CliRunner().invoke(app, ["sql", "select 1"], catch_exceptions=False)
    assert "有一处更正" in asked.output, "who asks the release reads it"
    assert "首个版本" in call("changes")[1]
    assert '"state": "amber"' in call("check", "--format", "json")[1]
