"""A pupil in many places is forgotten: found nowhere by bytes afterwards, and all others stand as before."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.declare import reasons
from jobs.forget import act, trace
from jobs.forget import tables as rewriting
from jobs.ingest import balance, clean, landed, raw
from jobs.lake import deliveries, links, persons, receipt_text, tables
from jobs.publish import asof
from jobs.publish import release as published
from jobs.settings import Settings, UserError

from .planted import LASTING, LATE, ROLL, TEMPORARY, card, keys_of, take, values_found, words

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_the_pupil_is_nowhere_and_all_others_are_as_before(site: Settings) -> None:
    for table in (ROLL, "raw_enrollment"):
        # The old files stay beside the new one until the act.
        assert tables.DeltaTable(str(tables.path(site, table))).optimize.compact()["numFilesRemoved"] > 1
    planted = words(site)
    assert len(values_found(site, *planted)) > 10
    one = persons.persons(site, datetime.max.replace(tzinfo=UTC))
    gone = {one.get(word, word) for word in planted}
    before, rows = keys_of(site), tables.rows(site, ROLL)
    asked = "select count(*) from newest_by_scope.clean_enrollment__pupil_roll"
    then = asof.query(site, asked, date(2025, 12, 1), date(2025, 12, 1))[1]
    versions = [(deliveries.scan(site), [r.manifest for r in kept(site)])]
    planned = act.plan(site, LASTING)
    listed = act.listed(site, planned)
    proof = act.forget(site, planned)
    assert (proof.went, proof.left, proof.namesakes) == (listed, [], [])
    assert values_found(site, *planted) == []
    assert keys_of(site) == before - gone
    stayed = [r for r in rows if one.get(r["pupil_key"], r["pupil_key"]) not in gone]
    assert sorted(map(str, tables.rows(site, ROLL))) == sorted(map(str, stayed))
    assert asof.query(site, asked, date(2025, 12, 1), date(2025, 12, 1))[1] == [(then[0][0] - 1,)]
    assert balance.broken(site) == []
    files, manifests = versions[0]
    assert deliveries.pending(site) == []
    assert [f.receipt_id for f in deliveries.scan(site)] == [f.receipt_id for f in files], "by the old hashes"
    for release, was in zip(kept(site), manifests, strict=True):
        published.verify(release)
        opened = published.open_release(release, "full")
        assert opened.execute("select count(*) from fct_pupil").fetchall() == [(len(before) - 1,)]
        count = published.open_release(release).execute("select pupils from fct_count").fetchall()
        assert count == [(len(before),)], "what was published of groups stays"
        amended = {note["file"]: note["sha256_before"] for note in release.manifest["amended"]}
        files_of_pupils = {file for file in was["files"] if file == "full.duckdb" or "-pupils" in file}
        assert set(amended) <= files_of_pupils
        assert len(amended) == 2, "the whole file, and that of the pupil's district"
        assert amended == {file: was["files"][file]["sha256"] for file in amended}
        assert release.manifest["tables"]["fct_pupil"]["rows"] == len(before) - 1
        assert release.manifest["tables"]["fct_pupil"]["digest"] != was["tables"]["fct_pupil"]["digest"]
        assert release.manifest["tables"]["fct_count"] == was["tables"]["fct_count"]
    assert stat.S_IMODE((site.secrets / "forgotten.json").stat().st_mode) == 0o600
    assert not [path for path in site.home.rglob("*") if path.stat().st_mode & 0o077]


def kept(settings: Settings) -> list[published.Release]:
    return [published.read(settings.releases / str(n)) for n in published.numbers(settings.releases)]


def test_what_is_sent_again_is_refused_and_what_is_read_again_is_whole(
    site: Settings, spark: SparkSession
) -> None:
    sent = {f.name: f.path.read_bytes() for f in deliveries.scan(site) if f.received == date(2026, 3, 5)}
    act.forget(site, act.plan(site, TEMPORARY))
    before = keys_of(site)
    ((name, data),) = sent.items()
    # The same file from the same sender is known by its old hash; from another one it is read.
    source = site.home / name
    source.write_bytes(data)
    landed = len(deliveries.scan(site))
    deliveries.land(site, source, "enrollment", "110101", LATE)
    assert len(deliveries.scan(site)) == landed
    source.unlink()
    take(site, spark, "2026-04-01", "110106", name, data)
    assert values_found(site, *words(site)) == [], "refused before anything is kept of it"
    (again,) = [r for r in receipt_text.receipts(site) if r["delivery_id"].endswith("110106/2026-04-01_1")]
    assert (again["outcome"], again["line_count"]) == ("accepted", 8)
    assert [reasons.code_of(remark) for remark in again["remarks"]] == ["forgotten_lines"]
    assert keys_of(site) == before
    # Made again from landing, the lake holds the same.
    shutil.rmtree(site.lake)
    shutil.rmtree(site.run / "batches", ignore_errors=True)
    site.prepare()
    raw.write_raw(site, "2026-06-30.1", "enrollment")
    clean.clean_rows(site, spark, "2026-06-30.1", "enrollment")
    links.find_links(site)
    assert keys_of(site) == before
    assert values_found(site, *words(site)) == []
    assert balance.broken(site) == []


@pytest.mark.parametrize("step", ["landing", "tables", "receipts"])
def test_an_act_that_was_killed_is_finished_by_the_next(
    site: Settings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted, counts = words(site), {r["receipt_id"]: r for r in tables.rows(site, "ops__receipt")}
    place, name = {
        "landing": (landed, "write_again"),
        "tables": (rewriting, "sweep"),
        "receipts": (act, "_amend_receipts"),
    }[step]
    whole, calls = getattr(place, name), []

    def once(*told: Any, **more: Any) -> Any:
        calls.append(told)
        if len(calls) == 2 or step == "receipts":
            raise KeyboardInterrupt
        return whole(*told, **more)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, once)
        with pytest.raises(KeyboardInterrupt):
            act.forget(site, act.plan(site, LASTING))
    assert values_found(site, LASTING), "the note of the act holds it until the end"
    assert act.forget(site, act.plan(site, LASTING)).left == []
    assert values_found(site, *planted) == []
    assert balance.broken(site) == []
    lines = sum(r["line_count"] for r in tables.rows(site, "ops__receipt"))
    assert lines == sum(r["line_count"] for r in counts.values()) - 4


def test_a_sibling_under_the_same_passport_stays(built: Settings, tmp_path: Path) -> None:
    """Of the twin's own numbers, nothing is known that the other has too."""
    found = trace.find(built, "G" + card(1))
    assert found.documents == {card(1), "K0001"}
    assert {sum(map(len, found.lines.values()))} == {2}
    assert found.names == {"某某"}


def test_a_word_that_many_lines_hold_names_no_pupil(site: Settings) -> None:
    for word in ("1", "155.5", "三年级1班", " 2 0 2 5 "):
        with pytest.raises(UserError, match="too short"):
            act.plan(site, word)


def test_the_line_of_another_pupil_stays_whatever_else_it_holds() -> None:
    path = Path("roll.csv")
    file = deliveries.LandedFile(date(2025, 9, 20), 1, "enrollment", "110101", path.name, path, "0" * 64, 1)
    found = trace.Trace(numbers={LASTING})
    sibling = {trace.NUMBER: "L" + "9" * 18}

    def is_of(told: dict[str, str], *cells: str) -> bool:
        return trace._is_of(trace.Row(file, (0, 2), told, set(cells)), found, set())

    assert is_of({trace.NUMBER: LASTING})
    assert is_of({trace.NUMBER: "张三"}, LASTING)
    assert not is_of(sibling, LASTING)


def test_the_command_lists_asks_and_removes(site: Settings) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["forget", LASTING, "--dry-run"])
    assert (listed.exit_code, ROLL in listed.output) == (0, True)
    assert values_found(site, LASTING)
    other = runner.invoke(app, ["forget", LASTING], input="G1\n")
    assert isinstance(other.exception, UserError)
    assert values_found(site, LASTING)
    assert runner.invoke(app, ["forget", LASTING], input=f"{LASTING}\n").exit_code == 0
    assert values_found(site, *words(site)) == []
    with pytest.raises(UserError, match="names this pupil"):
        act.plan(site, "G" + card(999))
