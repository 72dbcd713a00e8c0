"""A thousand damaged files: each ends in lines that are all counted or in a reason, and never in a crash.

Seeded, so that a failure is found again by its number. The reader's own processes read them, as in a run.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import clean, journal, raw
from jobs.lake import deliveries, tables
from jobs.reading import isolated
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED = "place_demand"
CONTRACTS = declare.datasets_of(FEED)
DISTRICTS = ("东城区", "西城区", "朝阳区", "丰台区", "石景山区", "门头沟区")
HEADER = ["区", "出生年", "出生人数"]
MEBI = 1024**2

Rows = list[list[object]]


def some_rows(rng: random.Random) -> Rows:
    count = rng.randint(1, 80)
    return [[rng.choice(DISTRICTS), 1950 + i, rng.randint(100, 9999)] for i in range(count)]


# Sound files


def as_text(rows: Rows, rng: random.Random) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(
        stream,
        delimiter=rng.choice(",\t;|"),
        lineterminator=rng.choice(("\n", "\r\n")),
        quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    writer.writerows([HEADER, *rows])
    encodings = ("utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le")
    return stream.getvalue().encode(rng.choice(encodings))


def as_json(rows: Rows, rng: random.Random) -> bytes:
    records = [dict(zip(HEADER, row, strict=True)) for row in rows]
    if rng.random() < 0.5:
        return "\n".join(json.dumps(r, ensure_ascii=rng.random() < 0.5) for r in records).encode()
    return json.dumps(records, indent=rng.choice((None, 1))).encode()


def as_workbook(rows: Rows, rng: random.Random) -> bytes:
    book = openpyxl.Workbook()
    for number in range(rng.randint(1, 3)):
        sheet = book.active if number == 0 else book.create_sheet(f"{number}")
        assert sheet is not None
        if rng.random() < 0.3:
            sheet.append(["出生人口"])
        for row in [HEADER, *rows]:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def as_page(rows: Rows, rng: random.Random) -> bytes:
    lines = ["".join(f"<td>{c}</td>" for c in row) for row in [HEADER, *rows]]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<html><table>{body}</table></html>".encode(rng.choice(("utf-8", "gb18030")))


def in_zip(rows: Rows, rng: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        for number in range(rng.randint(1, 3)):
            archive.writestr(f"{number}.dat", rng.choice((as_text, as_workbook))(rows, rng))
    return stream.getvalue()


def in_gzip(rows: Rows, rng: random.Random) -> bytes:
    return gzip.compress(as_text(rows, rng))


MAKERS = (as_text, as_text, as_json, as_workbook, as_page, in_zip, in_gzip)


# Damage


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def cut_in_front(data: bytes, rng: random.Random) -> bytes:
    return data[rng.randrange(len(data)) :]


def repeat_a_part(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:b] + data[a:b] * rng.randint(1, 5) + data[b:]


def drop_a_part(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:a] + data[b:]


def put_in(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    scraps = (b'"', b"\x00", b"\r", b"\n\n", b",,,,,", b"\xff\xfe", "汉字".encode(), "汉字".encode("gb18030"))
    return data[:at] + rng.choice(scraps) * rng.randint(1, 3) + data[at:]


def join_another(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice(MAKERS)(some_rows(rng), rng)


def wrap(data: bytes, rng: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("内/a", data)
        if rng.random() < 0.5:
            archive.writestr("说明.txt", "看不懂".encode(rng.choice(("utf-8", "gb18030"))))
    return rng.choice((stream.getvalue(), gzip.compress(data), bz2.compress(data)))


def inside_the_archive(data: bytes, rng: random.Random) -> bytes:
    """Change a member and pack it again, so that its checksum is right and its reader meets the damage."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {i.filename: archive.read(i) for i in archive.infolist()}
    except zipfile.BadZipFile:
        return flip(data, rng)
    chosen = rng.choice([name for name, content in members.items() if content])
    members[chosen] = rng.choice((flip, cut, repeat_a_part, drop_a_part))(members[chosen], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip,
    cut,
    cut_in_front,
    repeat_a_part,
    drop_a_part,
    put_in,
    join_another,
    wrap,
    inside_the_archive,
)


def swapped(rng: random.Random) -> bytes:
    """Columns in another order, some twice, some gone, some unknown; the order never matters."""
    rows = [HEADER, *some_rows(rng)]
    order = [0, 1, 2, *rng.choices([0, 1, 2, 9], k=rng.randint(0, 3))]
    rng.shuffle(order)
    if rng.random() < 0.3:
        order.remove(2)
    lines = [",".join(str(row[i]) if i < 3 else "?" for i in order) for row in rows]
    return "\n".join(lines).encode("gb18030")


def formulas(rng: random.Random) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    for row in some_rows(rng):
        sheet.append([*row[:2], rng.choice(("=1+1", "=A1", "=1/0", "=SUM(", row[2]))])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def two_encodings(rng: random.Random) -> bytes:
    lines = [",".join(str(c) for c in row) for row in [HEADER, *some_rows(rng)]]
    return b"\n".join(line.encode(rng.choice(("utf-8", "gb18030", "utf-16-le"))) for line in lines)


def bomb(rng: random.Random) -> bytes:
    """Far more than it says or looks: 600 MB of zeros, of lines, of XML; in zip, gzip and workbook."""
    unit = rng.choice((b"0", b"1,2,3\n", b"<c r='A1'><v>1</v></c>"))
    stream = io.BytesIO()
    if rng.random() < 0.3:
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as packed:
            for _ in range(150):
                packed.write(unit * (4 * MEBI // len(unit)))
        return stream.getvalue()
    is_book = rng.random() < 0.5
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if is_book:
            archive.writestr("[Content_Types].xml", b"<Types/>")
        with archive.open(
            "xl/worksheets/sheet1.xml" if is_book else "a.csv", "w", force_zip64=True
        ) as member:
            for _ in range(150):
                member.write(unit * (4 * MEBI // len(unit)))
    return stream.getvalue()


def long_line(rng: random.Random) -> bytes:
    long = rng.choice(("x", "1,", '"', "汉", '""')) * 10_000_000
    text = ",".join(HEADER) + "\n东城区,2020,1\n" + long[:10_000_000] + "\n西城区,2020,2\n"
    return text.encode(rng.choice(("utf-8", "gb18030")))


SPECIAL = ((swapped, 60), (formulas, 60), (two_encodings, 60), (long_line, 10), (bomb, 4))


def damaged(number: int) -> bytes:
    """File of this number: the same on every machine."""
    rng = random.Random(number)
    place = number % 1000
    for make, count in SPECIAL:
        if place < count:
            return make(rng)
        place -= count
    data = rng.choice(MAKERS)(some_rows(rng), rng)
    for _ in range(rng.randint(1, 2)):
        data = rng.choice(DAMAGE)(data or b"x", rng)
    return data


def written_lines(data: bytes, encoding: str, above: int) -> int | None:
    """Lines below the header that hold anything, counted by another way; null where quotes join lines."""
    text = data.decode(encoding)
    if '"' in text or re.search(r"\r(?!\n)", text):
        return None
    return sum(1 for n, line in enumerate(text.split("\n"), 1) if n > above and line.strip(",;|\t\r"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("damaged")
    made = []
    for number in range(1000):
        file = folder / f"{number}.dat"
        file.write_bytes(damaged(number))
        made.append(file)
    return made


def test_a_thousand_damaged_files_give_lines_or_a_reason(files: list[Path], tmp_path: Path) -> None:
    readable = compared = 0
    for file, (found, lines) in zip(files, isolated.read_all(files, CONTRACTS, tmp_path), strict=True):
        numbers: dict[int, list[int]] = {}
        for part in lines:
            for table, number in zip(*(part.column(i).to_pylist() for i in (0, 1)), strict=True):
                numbers.setdefault(table, []).append(number)
        told = f"{file.name}: {found}"
        assert (found.dataset is None) == bool(found.reasons), told
        assert found.traceback is None, told
        assert not any("reader" in reasons.code_of(reason) for reason in found.reasons), told
        if found.dataset is None:
            assert all(reasons.sentence(reason, "zh") for reason in found.reasons), told
            continue
        readable += 1
        counts = [table.line_count for table in found.tables]
        assert [len(numbers.get(i, ())) for i in range(len(counts))] == counts, told
        for i, table in enumerate(found.tables):
            of_table = numbers.get(i, [])
            assert of_table == sorted(set(of_table)), told
            assert not of_table or of_table[0] > table.header_line, told
        if found.container in ("csv", "tsv") and found.tables[0].member is None and found.encoding:
            data = file.read_bytes()
            if data[:2] != b"\x1f\x8b":
                expected = written_lines(data, found.encoding, found.tables[0].header_line)
                assert expected in (None, sum(counts)), told
                compared += expected is not None
    # The damage is neither so harmless nor so thorough that the test asks nothing.
    assert 200 < readable < 800
    assert compared > 50


def test_no_file_takes_more_than_the_memory_it_may(files: list[Path]) -> None:
    peaks = isolated.peaks()
    if not peaks:
        pytest.skip("this system does not tell a process's peak memory")
    # The largest that is unpacked at all, its text and its lines; and what Python and Arrow hold.
    assert max(peaks) < 2 * 1024**3


def hand_in(settings: Settings, numbers: range) -> None:
    outbox = settings.home / "outbox"
    outbox.mkdir()
    for number in numbers:
        file = outbox / f"{number}.dat"
        file.write_bytes(damaged(number) or b"x")
        deliveries.land(settings, file, FEED, "110000", date(2025, 3, 1))


def check(settings: Settings, spark: SparkSession, numbers: range) -> None:
    hand_in(settings, numbers)
    raw.write_raw(settings, "2025-03-01.1", FEED)
    clean.clean_rows(settings, spark, "2025-03-01.1", FEED)
    receipts = tables.rows(settings, "ops__receipt")
    assert len(receipts) == len(numbers)
    lines = tables.open_arrow(settings, f"raw_{FEED}")
    assert lines is not None
    accepted = [(r["_delivery_id"], r["_file_sha256"]) for r in tables.rows(settings, "clean_places__birth")]
    refused = {
        (r["delivery_id"], r["file_sha256"], r["table_number"], r["line_number"])
        for r in tables.rows(settings, "ops__refused_row")
    }
    for receipt in receipts:
        of_file = (receipt["delivery_id"], receipt["file_sha256"])
        assert receipt["line_count"] == receipt["accepted_count"] + receipt["refused_count"], receipt
        assert receipt["refused_count"] == sum(r[:2] == of_file for r in refused), receipt
        is_taken = receipt["outcome"] == "accepted"
        assert accepted.count(of_file) == (receipt["accepted_count"] if is_taken else 0), receipt
        assert is_taken or receipt["reasons"], receipt
    assert lines.count_rows() == sum(r["line_count"] for r in receipts)
    assert {"accepted", "held", "refused"} <= {r["outcome"] for r in receipts}
    assert journal.unfinished(settings, FEED) == []


def test_damaged_files_in_one_batch_are_each_receipted(settings: Settings, spark: SparkSession) -> None:
    check(settings, spark, range(150, 270))


@pytest.mark.slow
def test_a_thousand_damaged_files_through_the_whole_ingest(settings: Settings, spark: SparkSession) -> None:
    check(settings, spark, range(1000))
