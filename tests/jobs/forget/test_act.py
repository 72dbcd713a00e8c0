"""A pupil in many places is forgotten: found nowhere by bytes afterwards, and all others stand as before."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.declare import examples
from jobs.forget import act, landing, trace
from jobs.forget import tables as rewriting
from jobs.ingest import balance, clean, raw
from jobs.judging import values
from jobs.lake import deliveries, identity, links, persons, tables
from jobs.publish import asof, publication
from jobs.publish import release as published
from jobs.publish.published_models import Model
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEADER = [
    "学籍号",
    "姓名",
    "性别",
    "出生日期",
    "身份证件类型",
    "身份证件号",
    "学校标识码",
    "年级",
    "班级",
    "学籍状态",
]
NAME, SECOND, PASSPORT = "欧阳忘忧", "欧阳·忘忧", "K7716354"
LATE, KNOWN = date(2026, 6, 30), "2026-06-30"
ROLL = "clean_enrollment__pupil_roll"


def card(serial: int) -> str:
    body = f"99435520150101{serial:03d}"
    return body + values.CHECK[sum(int(d) * w for d, w in zip(body, values.WEIGHTS, strict=True)) % 11]


TEMPORARY, LASTING = "L994355201501014711", "G" + card(771)


def line(number: str, name: str = "某某", document: str = "", **changes: str) -> list[str]:
    told = dict(
        zip(
            HEADER,
            [number, name, "男", "20150101", "A", document, "2111000001", "01", "1班", "1"],
            strict=True,
        )
    )
    return [*(told | changes).values()]


def others(first: int) -> list[list[str]]:
    return [line("G" + card(n), document=f"K000{n}") for n in range(first, first + 4)]


def csv_of(lines: list[list[str]]) -> bytes:
    return "\n".join(",".join(cells) for cells in [HEADER, *lines, []]).encode("gb18030")


def workbook_of(lines: list[list[str]]) -> bytes:
    book, packed = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.title = "名册"
    for cells in [["在籍学生名册"], HEADER, *lines]:
        sheet.append(cells)
    book.save(packed)
    with io.BytesIO() as zipped:
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("一年级.xlsx", packed.getvalue())
        return zipped.getvalue()


def registration_of(name: str) -> bytes:
    from jobs import declare

    contract = declare.load()["pupil_registration"]
    (row,) = examples.example_rows(contract, 1)
    row |= {"id_document_type_code": "护照", "id_document_number": PASSPORT, "pupil_name": name}
    row |= {"birth_date": "20150101", "sex_code": "男"}
    told = {contract.column(column).headings[0]: cell for column, cell in row.items()}
    return "\n".join([",".join(told), ",".join(told.values()), ""]).encode()


def take(settings: Settings, spark: SparkSession, day: str, sender: str, name: str, data: bytes) -> None:
    source = settings.home / "out" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    deliveries.land(settings, source, "enrollment", sender, date.fromisoformat(day))
    source.unlink()
    raw.write_raw(settings, f"{day}.1", "enrollment")
    clean.clean_rows(settings, spark, f"{day}.1", "enrollment")


def keys_of(settings: Settings) -> set[str]:
    """The keys of all pupils on the rolls."""
    one = persons.persons(settings, datetime.max.replace(tzinfo=UTC))
    return {one.get(r["pupil_key"], r["pupil_key"]) for r in tables.rows(settings, ROLL, ["pupil_key"])}


def publish(settings: Settings, run_id: str) -> None:
    """A release with one row of each pupil, and one number about all of them."""
    rows = sorted(keys_of(settings))
    build = settings.home / "build.duckdb"
    with duckdb.connect(str(build)) as db:
        db.execute(
            "create table fct_pupil as select unnest(?) as pupil_key, '110101' as district_code", [rows]
        )
        db.execute(
            "create table fct_count as select '110101' as district_code, count(*) as pupils from fct_pupil"
        )
    models = {
        "fct_pupil": Model("fct_pupil", scope="district_code", platform="management", pupil_rows=True),
        "fct_count": Model("fct_count", scope="district_code", platform="management"),
    }
    told = {"as_of_date": KNOWN, "known_at": KNOWN, "code_version": "0"}
    publication.publish(settings, run_id, build, models, {ROLL: 1}, **told)
    build.unlink()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Settings:
    """The pupil stands in a roll under a temporary number and a passport, in a workbook in a zip under the
    lasting one, in a registration under the passport alone, in a refused row, and in two releases.
    """
    settings = site_settings.load("beijing", tmp_path_factory.mktemp("forget")).prepare()
    planted = line(TEMPORARY, NAME, PASSPORT)
    take(settings, spark, "2025-08-20", "2111000001", "学籍导入表_2025.csv", registration_of(NAME))
    autumn = [*others(1), planted, *others(11)]
    take(settings, spark, "2025-09-20", "110101", "在籍学生名册_2025-2026-1.csv", csv_of(autumn))
    sound = [one for first in range(21, 81, 10) for one in others(first)]
    refused = [*sound, line(LASTING, NAME, PASSPORT, 出生日期="20990101")]
    take(settings, spark, "2025-09-21", "110105", "在籍学生名册_2025-2026-1.csv", csv_of(refused))
    spring = [*others(1), line(LASTING, SECOND, PASSPORT), *others(11)]
    take(settings, spark, "2026-03-05", "110101", "在籍学生名册_2025-2026-2.zip", workbook_of(spring))
    assert links.find_links(settings) > 0
    for number in (1, 2):
        publish(settings, f"2026-03-05.{number}")
    return settings


@pytest.fixture
def site(built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of that site for one test."""
    shutil.copytree(built.home, tmp_path / "home" / "beijing")
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return site_settings.load("beijing", tmp_path / "home")


def values_found(settings: Settings, *words: str) -> list[str]:
    """Search every file by other means than the code: each form that a file may pack a word in."""
    found = []
    for path in sorted(settings.home.rglob("*")):
        if path.is_file() and any(word in text for text in texts(path) for word in words):
            found.append(str(path.relative_to(settings.home)))
    return found


def texts(path: Path) -> list[str]:
    data = path.read_bytes()
    found = [data.decode(encoding, "ignore") for encoding in ("utf-8", "gb18030", "utf-16-le")]
    if zipfile.is_zipfile(path):
        found += unzipped(data)
    if path.suffix == ".parquet":
        found.append(str(pq.read_table(path).to_pylist()))
    if path.suffix == ".duckdb":
        with duckdb.connect() as db:
            db.execute(f"attach '{path}' as f (read_only)")
            names = db.execute("select table_name from duckdb_tables() where database_name = 'f'").fetchall()
            found += [str(db.execute(f'from f."{name}"').fetchall()) for (name,) in names]
    return found


def unzipped(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [archive.read(name) for name in archive.namelist()]
    return [t for m in members for t in ([m.decode("utf-8", "ignore")] if m[:2] != b"PK" else unzipped(m))]


def words(settings: Settings) -> list[str]:
    """What may stand nowhere: the planted values and each of the pupil's tokens."""
    own = identity.keys(settings)
    kinds = [(trace.NUMBER, TEMPORARY), (trace.NUMBER, LASTING), (trace.DOCUMENT, PASSPORT)]
    return [*(n for _, n in kinds), NAME, SECOND, *(identity.token(k, n, own) for k, n in kinds)]


def test_the_pupil_is_nowhere_and_all_others_are_as_before(site: Settings) -> None:
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
        (note,) = release.manifest["amended"]
        assert note["sha256_before"] == was["files"]["full.duckdb"]["sha256"]
        assert release.manifest["tables"]["fct_pupil"]["digest"] != was["tables"]["fct_pupil"]["digest"]
        assert release.manifest["tables"]["fct_count"] == was["tables"]["fct_count"]
    assert stat.S_IMODE((site.secrets / "forgotten.json").stat().st_mode) == 0o600


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
    refused = [r for r in tables.rows(site, "ops__refused_row") if r["rule"] == "forgotten"]
    assert [(r["sender_code"], r["line_number"]) for r in refused] == [("110106", 7)] * len(refused) != []
    assert keys_of(site) == before
    # Made again from landing, the lake holds the same.
    shutil.rmtree(site.lake)
    shutil.rmtree(site.run / "batches", ignore_errors=True)
    site.prepare()
    raw.write_raw(site, "2026-06-30.1", "enrollment")
    clean.clean_rows(site, spark, "2026-06-30.1", "enrollment")
    links.find_links(site)
    assert keys_of(site) == before
    # Again: landing and raw held the row that was sent again.
    act.forget(site, act.plan(site, LASTING))
    assert values_found(site, *words(site)) == []
    assert balance.broken(site) == []


@pytest.mark.parametrize("step", ["landing", "tables", "receipts"])
def test_an_act_that_was_killed_is_finished_by_the_next(
    site: Settings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted, counts = words(site), {r["receipt_id"]: r for r in tables.rows(site, "ops__receipt")}
    place, name = {
        "landing": (landing, "without"),
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
