"""A pupil in many places of a small site, and a search by other means than the code's."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import openpyxl
import pyarrow.parquet as pq

from jobs import declare
from jobs.declare import examples
from jobs.forget import trace
from jobs.ingest import clean, raw
from jobs.judging import identifiers
from jobs.lake import deliveries, identity, persons, tables
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.settings import Settings

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
    return (
        body + identifiers.CHECK[sum(int(d) * w for d, w in zip(body, identifiers.WEIGHTS, strict=True)) % 11]
    )


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


def csv_of(lines: list[list[str]], *beside: str) -> bytes:
    """`beside`: further headings, without a cell below them."""
    return "\n".join(",".join(cells) for cells in [[*HEADER, *beside], *lines, []]).encode("gb18030")


def workbook_of(lines: list[list[str]]) -> bytes:
    book, packed = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.title = SECOND
    for cells in [["在籍学生名册"], HEADER, *lines]:
        sheet.append(cells)
    book.save(packed)
    with io.BytesIO() as zipped:
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"一年级{LASTING}.xlsx", packed.getvalue())
        return zipped.getvalue()


def registration_of(name: str) -> bytes:
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


def values_found(settings: Settings, *words: str) -> list[str]:
    """Search every file by other means than the code: each form that a file may pack a word in."""
    found = []
    for path in sorted(settings.home.rglob("*")):
        if path.is_file() and any(word in text for text in [path.name, *texts(path)] for word in words):
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
        members.append(str(archive.namelist()).encode())
    return [t for m in members for t in ([m.decode("utf-8", "ignore")] if m[:2] != b"PK" else unzipped(m))]


def words(settings: Settings) -> list[str]:
    """What may stand nowhere: the planted values and each of the pupil's tokens."""
    own = identity.keys(settings)
    kinds = [(trace.NUMBER, TEMPORARY), (trace.NUMBER, LASTING), (trace.DOCUMENT, PASSPORT)]
    return [*(n for _, n in kinds), NAME, SECOND, *(identity.token(k, n, own) for k, n in kinds)]
