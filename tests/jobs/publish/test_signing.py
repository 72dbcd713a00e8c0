"""Sign-off of a finished lake: who may sign after whom, over what, and that the record is never rewritten."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.lake import deliveries, runs, sign_offs, tables
from jobs.lake.sign_offs import Scope
from jobs.publish import marts, signing
from jobs.settings import Settings, UserError

ROLL = ("pupil_roll", "2025-2026-1")


@pytest.fixture(scope="module")
def own(lake: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A copy of the finished lake, to sign in."""
    home = tmp_path_factory.mktemp("signed")
    shutil.copytree(lake.home, home / "beijing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_HOME", str(home))
        patch.setenv("EDULAKE_SITE", "beijing")
        yield site_settings.load()


def test_the_district_signs_then_the_city_then_it_is_locked(own: Settings) -> None:
    scope = signing.scope_of(own, *ROLL, "110101")
    with pytest.raises(UserError, match="the district signs first"):
        signing.act(own, scope, "sign_city", "市级", "x")
    with pytest.raises(UserError, match="the city signs first"):
        signing.act(own, scope, "lock", "市级", "x")
    for act, state in (("sign_district", "district"), ("sign_city", "city"), ("lock", "locked")):
        done = signing.act(own, scope, act, "某", "已核对")
        assert done.is_new
        assert sign_offs.state(sign_offs.load(own), scope) == state
    again = signing.act(own, scope, "lock", "他人", None)
    assert (again.is_new, again.act.stated_by) == (False, "某")
    with pytest.raises(UserError, match="--reason"):
        signing.act(own, scope, "unlock", "某", None)
    signing.act(own, scope, "unlock", "某", "补报")
    # Nothing was rewritten: the record tells the whole way.
    kept = [act.act for act in sign_offs.load(own) if act.scope == scope]
    assert kept == ["sign_district", "sign_city", "lock", "unlock"]
    table = tables.open_table(own, sign_offs.TABLE)
    assert table is not None
    assert {entry["operation"] for entry in table.history()} <= {"WRITE", "CREATE TABLE"}


def test_what_is_late_or_refused_in_part_is_signed_with_a_reason_alone(own: Settings) -> None:
    listed = signing.rows(own)
    troubled = [
        row
        for row in listed
        if row["sender_kind"] == "district" and (row["days_late"] or row["refused_row_count"])
    ]
    assert troubled, "somebody is late or had lines refused"
    row = troubled[0]
    scope = Scope(row["dataset"], row["period"], row["district_code"])
    assert any(row["sender_code"] in told for told in signing.problems(own, scope))
    with pytest.raises(UserError, match="say why with --reason"):
        signing.act(own, scope, "sign_district", "某", None)
    assert signing.act(own, scope, "sign_district", "某", "系统故障").is_new
    sound = next(
        Scope(one["dataset"], one["period"], one["district_code"])
        for one in listed
        if one["dataset"] == "catchment" and one["reporting_state"] == "accepted"
    )
    if not signing.problems(own, sound):
        assert signing.act(own, sound, "sign_district", "某", None).is_new


def test_an_office_signs_its_own_without_a_district(own: Settings) -> None:
    scope = signing.scope_of(own, "birth", "2024", "110000")
    assert signing.act(own, scope, "sign_city", "市级", "已核对").is_new


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pupil_rol", "2025-2026-1", "110101"), "did you mean pupil_roll"),
        (("pupil_roll", "2025-2026-3", "110101"), "did you mean 2025-2026-1"),
        (("pupil_roll", "2025-2026-1", "110199"), "did you mean 1101"),
        (("birth", "2024", "110101"), "110000"),
    ],
)
def test_a_scope_that_there_is_not_is_told_with_the_nearest(
    own: Settings, words: tuple[str, str, str], says: str
) -> None:
    with pytest.raises(UserError) as told:
        signing.scope_of(own, *words)
    assert says in str(told.value)


def test_an_exception_needs_a_reason_and_a_day_to_come(own: Settings) -> None:
    scope = signing.scope_of(own, *ROLL, "110102")
    newest = max(file.received for file in deliveries.scan(own))
    with pytest.raises(UserError, match="reason"):
        signing.give_exception(own, scope, "某", " ", newest, None)
    with pytest.raises(UserError, match="is over"):
        signing.give_exception(own, scope, "某", "迁移", date(2025, 1, 1), None)
    assert signing.give_exception(own, scope, "某", "迁移", newest, None).is_new
    assert not signing.give_exception(own, scope, "某", "迁移", newest, None).is_new


def test_commands_sign_and_the_mart_shows_it_as_known(own: Settings, tmp_path: Path) -> None:
    call = CliRunner()
    words = ["calendar", "sign", *ROLL, "--unit", "110105", "--level", "district", "--reason", "已核对"]
    assert call.invoke(app, words, catch_exceptions=False).exit_code == 0
    shown = call.invoke(app, ["calendar", "show", "--dataset", ROLL[0], "--unit", "110105"])
    assert "district" in shown.output
    run = runs.all_runs(own)[-1]
    file = marts.build_models(own, [signing.MART], run.as_of_date, run.known_at, tables.pin(own), tmp_path)
    import duckdb

    query = f"select sign_off_state from {signing.MART} where sender_code = ? and dataset = ? and period = ?"
    with duckdb.connect(str(file), read_only=True) as db:
        assert db.execute(query, ["110105", *ROLL]).fetchall() == [("district",)]
        assert db.execute(query, ["110106", *ROLL]).fetchall() == [("open",)]


# Last days of the terms' rolls in the city's calendar, worked out by hand from its 15 working days.
ROLL_DUE = {
    "2024-2025-1": date(2024, 9, 23),
    "2024-2025-2": date(2025, 3, 21),
    "2025-2026-1": date(2025, 9, 22),
}


def test_who_is_late_is_who_was_planted_and_who_never_sent(own: Settings) -> None:
    """Against the landing and the truth: rolls that came late, schools that registered nobody."""
    first: dict[tuple[str, str], date] = {}
    for file in deliveries.scan(own):
        term = file.name.removeprefix("在籍学生名册_")[:11]
        if term in ROLL_DUE:
            key = file.sender, term
            first[key] = min(first.get(key, file.received), file.received)
    late = {key: (day - ROLL_DUE[key[1]]).days for key, day in first.items() if day > ROLL_DUE[key[1]]}
    shown = signing.rows(own)
    rolls = [row for row in shown if row["dataset"] == "pupil_roll"]
    assert {(r["sender_code"], r["period"]): r["days_late"] for r in rolls if r["days_late"]} == late
    with (own.home / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        planted = [row["file"].split("/") for row in csv.DictReader(lines) if row["kind"] == "roll_late"]
    assert planted
    assert {sender for _, sender, *_ in planted} <= {sender for sender, _ in late}
    sent = {file.sender for file in deliveries.scan(own) if file.name.startswith("学籍导入表_2025")}
    owed = {
        r["sender_code"] for r in shown if (r["dataset"], r["period"]) == ("pupil_registration", "2025-2026")
    }
    now = {r["sender_code"] for r in signing.rows(own, late=True) if r["dataset"] == "pupil_registration"}
    assert now & owed == owed - sent
