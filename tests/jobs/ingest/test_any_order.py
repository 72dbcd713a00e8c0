"""Stamped deliveries in any order and grouping give the same lake; every line ends in exactly one place."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jobs import declare
from jobs import settings as site_settings
from jobs.declare import headings
from jobs.ingest import balance, clean, journal, raw
from jobs.judging import judge
from jobs.lake import deliveries, receipt_text, tables, window
from jobs.reading import reader
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED, SENDER = "enrollment", "110101"
GRADES = ("K1", "K2", "K3", "P1", "P2")


def returns(schools: int, *, first: int = 0, add: int = 0, bad: int = 0) -> bytes:
    """A grade return: so many schools of five grades."""
    lines = ["学校标识码,区,学年,年级,在校生数"]
    for school in range(first, first + schools):
        lines += [f"{2111000000 + school},110101,2024,{grade},{30 + add + school}" for grade in GRADES]
    for i in range(bad):
        lines[1 + i] = lines[1 + i].rsplit(",", 1)[0] + ",若干"
    return ("\n".join(lines) + "\n").encode("gb18030")


# One too small against the first, the first one's bytes again, a correction, one too bad to take …
DELIVERIES: dict[str, tuple[str, bytes]] = {
    "2024-09-01_1": ("教基_1.csv", returns(20)),
    "2024-09-05_1": ("教基_2.csv", returns(8)),
    "2024-09-09_1": ("教基_3.csv", returns(20)),
    "2024-09-09_2": ("教基_4.csv", returns(20, add=1, bad=1)),
    "2024-09-12_1": ("教基_5.csv", returns(9, add=2)),
    "2024-09-20_1": ("教基_6.csv", returns(20, add=3, bad=30)),
    "2024-09-21_1": ("教基_7.csv", returns(11, first=3)),
}
IN_ORDER = {
    "教基_1.csv": "accepted",
    "教基_2.csv": "held",
    "教基_3.csv": "repeated",
    "教基_4.csv": "accepted",
    "教基_5.csv": "held",
    "教基_6.csv": "held",
    "教基_7.csv": "accepted",
}


def lake_of(home: Path, batches: list[list[str]], spark: SparkSession, patch: pytest.MonkeyPatch) -> Settings:
    """A lake that took the deliveries so grouped, one run a group."""
    patch.setenv("EDULAKE_HOME", str(home))
    settings = site_settings.load("beijing").prepare()
    for number, batch in enumerate(batches, 1):
        for delivery in batch:
            name, data = DELIVERIES[delivery]
            file = settings.landing / FEED / SENDER / delivery / name
            file.parent.mkdir(parents=True)
            file.write_bytes(data)
        raw.write_raw(settings, f"2024-10-01.{number}", FEED)
        clean.clean_rows(settings, spark, f"2024-10-01.{number}", FEED)
        assert not journal.has_work(settings, FEED)
        assert balance.broken(settings) == []
    return settings


def content(settings: Settings) -> dict[str, list[tuple[str, ...]]]:
    """All rows without what names a run or a batch: what must be equal whatever the order."""
    left_out = {"run_id", "duration_ms", "batch_id", "_batch_id"}
    found = {}
    for table in ("clean_enrollment__grade_count", "ops__refused_row", "ops__receipt", "ops__flagged_row"):
        rows = tables.rows(settings, table)
        found[table] = sorted(
            tuple(f"{k}={v}" for k, v in sorted(r.items()) if k not in left_out) for r in rows
        )
    raw = tables.rows(settings, f"raw_{FEED}")
    assert raw
    found["raw"] = sorted(tuple(f"{k}={v}" for k, v in sorted(r.items()) if k not in left_out) for r in raw)
    return found


def counts_in_force(settings: Settings) -> dict[str, int]:
    with window.opened(
        settings, date(2024, 10, 1), datetime(2024, 10, 1, tzinfo=UTC), ["grade_return"]
    ) as lake:
        rows = lake.arrow(f"select * from {lake.of('in_force', 'grade_return')}").to_pylist()
    return {f"{r['unit_code']} {r['grade_key']}": r["pupil_count"] for r in rows}


@pytest.fixture(scope="module")
def in_order(
    tmp_path_factory: pytest.TempPathFactory, engine_url: str, spark: SparkSession
) -> tuple[Settings, dict[str, list[tuple[str, ...]]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_SPARK", engine_url)
        home = tmp_path_factory.mktemp("in_order")
        settings = lake_of(home, [[d] for d in DELIVERIES], spark, patch)
    assert {r["file_name"]: r["outcome"] for r in receipt_text.receipts(settings)} == IN_ORDER
    assert len(counts_in_force(settings)) == 55
    return settings, content(settings)


def grouped(seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    shuffled = chance.sample([*DELIVERIES], len(DELIVERIES))
    cuts = sorted(chance.sample(range(1, len(shuffled)), 2))
    return [shuffled[: cuts[0]], shuffled[cuts[0] : cuts[1]], shuffled[cuts[1] :]]


@pytest.mark.parametrize(
    "batches",
    [[[d] for d in reversed(DELIVERIES)], [[*DELIVERIES]], grouped(1), grouped(2)],
    ids=["backwards", "at once", "shuffled 1", "shuffled 2"],
)
def test_the_lake_is_the_same_in_any_order(
    in_order: tuple[Settings, dict[str, list[tuple[str, ...]]]],
    batches: list[list[str]],
    tmp_path: Path,
    engine_url: str,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDULAKE_SPARK", engine_url)
    settings = lake_of(tmp_path, batches, spark, monkeypatch)
    assert content(settings) == in_order[1]


def _copy(settings: Settings, home: Path, patch: pytest.MonkeyPatch) -> Settings:
    import shutil

    shutil.copytree(settings.home, home / settings.site)
    patch.setenv("EDULAKE_HOME", str(home))
    return site_settings.load("beijing")


TAMPERED: dict[str, tuple[str, str]] = {
    "a clean row lost": ("clean_enrollment__grade_count", "clean rows <> accepted"),
    "a refused line lost": ("ops__refused_row", "refused lines <> refused"),
    "a raw line lost": ("raw_enrollment", "raw lines <> lines"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_table_is_found(
    in_order: tuple[Settings, Any], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _copy(in_order[0], tmp_path, monkeypatch)
    assert balance.check(settings, "r")["is_success"]
    table, problem = TAMPERED[what]
    where = tables.path(settings, table)
    line = "line_number" if table.startswith("ops__") else "_line_number"
    DeltaTable(str(where)).delete(f"{line} = 2")
    assert problem in {row["problem"] for row in balance.broken(settings)}
    checked = balance.check(settings, "r")
    assert not checked["is_success"]
    assert checked["is_stop"]


def test_a_row_that_stands_twice_or_comes_from_nowhere_is_found(
    in_order: tuple[Settings, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _copy(in_order[0], tmp_path, monkeypatch)
    where = tables.path(settings, "clean_enrollment__grade_count")
    clean = tables.open_arrow(settings, where.name)
    assert clean is not None
    rows = clean.to_table()
    write_deltalake(str(where), rows.slice(0, 1), mode="append")
    assert {row["problem"] for row in balance.broken(settings)} == {"clean rows <> accepted"}
    stranger = rows.slice(0, 1).to_pylist()[0] | {"_file_sha256": "f" * 64}
    write_deltalake(str(where), rows.from_pylist([stranger], schema=rows.schema), mode="append")
    assert "rows in clean without a receipt" in {row["problem"] for row in balance.broken(settings)}


# Statements of births: first counts, corrections by key, withdrawal lists, late years: (day, number, lines).
Lines = tuple[tuple[str, int, str, str], ...]


@st.composite
def birth_deliveries(draw: st.DrawFn) -> dict[tuple[int, int], Lines]:
    stamps = draw(
        st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2)), min_size=3, max_size=7, unique=True)
    )
    line = st.tuples(
        st.sampled_from(["东城区", "西城区"]),
        st.sampled_from([2019, 2024]),
        st.integers(1, 9).map(str),
        st.sampled_from(["", "", "更正", "撤销"]),
    )
    lines = st.lists(line, min_size=1, max_size=4, unique_by=lambda row: row[:2])
    return {stamp: tuple(draw(lines)) for stamp in stamps}


BIRTHS = "clean_places__birth"


def births_in_force(settings: Settings, day: date, known_at: datetime) -> list[tuple[Any, ...]]:
    with window.opened(settings, day, known_at, [BIRTHS]) as lake:
        found = lake.arrow(
            f"select unit_code, birth_year, birth_count, recorded_at from {lake.of('in_force', BIRTHS)}"
        )
    return [tuple(row.values()) for row in found.to_pylist()]


def parsed(made: dict[tuple[int, int], Lines], batch: list[tuple[int, int]]) -> pa.Table:
    """One batch through the real parse."""
    contract = declare.load()["birth"]
    header = ["区", "出生年", "出生人数", "操作"]
    positions = headings.match(contract, header)
    assert positions is not None
    rows, files = [], []
    for day, number in batch:
        stamp = f"place_demand/110000/2025-01-{day:02d}_{number}"
        for line, cells in enumerate(made[day, number], 2):
            rows.append(("b", stamp, f"sha {stamp}", 0, None, None, line, [str(c) for c in cells]))
        received = date(2025, 1, day)
        files.append(
            {
                "_delivery_id": stamp,
                "_file_sha256": f"sha {stamp}",
                "_table": 0,
                "positions": [positions[c.name] for c in contract.columns],
                "operation": headings.operation_at(header),
                "named": len(header),
                "widest": len(header),
                "sender_code": "110000",
                "received_date": received,
                "delivery_no": number,
                "recorded_at": datetime(2025, 1, day, tzinfo=UTC),
                "school_year_start": 2024,
                "term": 1,
            }
        )
    raw = pa.Table.from_pylist(
        [dict(zip(reader.RAW_SCHEMA.names, row, strict=True)) for row in rows], schema=reader.RAW_SCHEMA
    )
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.register("raw", raw)
        query = judge.parse(db, "raw", pa.Table.from_pylist(files), contract, "cn")
        own = f"* exclude (refused, unmapped, _identifier, _document) replace ('{batch[0]}' as _batch_id)"
        sound = db.sql(f"select {own} from ({query}) where {judge.IS_SOUND}").to_arrow_table()
    return sound.cast(declare.arrow_schema(contract.clean_columns()))


@examples(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(birth_deliveries(), st.randoms(use_true_random=False))
def test_statements_in_force_do_not_depend_on_the_order_of_batches(
    tmp_path_factory: pytest.TempPathFactory, made: dict[tuple[int, int], Lines], chance: random.Random
) -> None:
    moments = [datetime(2025, 1, day, 12, tzinfo=UTC) for day in (3, 6, 9)]

    def in_force_at(batches: list[list[tuple[int, int]]]) -> list[list[tuple[Any, ...]]]:
        settings = site_settings.load("beijing", home=tmp_path_factory.mktemp("order")).prepare()
        for number, batch in enumerate(batches):
            tables.append_rows(settings, BIRTHS, parsed(made, batch), str(number), "r")
        return [sorted(births_in_force(settings, date(2025, 1, 9), moment)) for moment in moments]

    def by_hand() -> list[list[tuple[Any, ...]]]:
        answers = []
        for moment in moments:
            last: dict[tuple[str, int], tuple[int, str, datetime]] = {}
            for (day, _), lines in sorted(made.items()):
                recorded = datetime(2025, 1, day, tzinfo=UTC)
                if recorded <= moment:
                    for unit, year, count, operation in lines:
                        last[unit, year] = (int(count), operation, recorded)
            codes = {"东城区": "110101", "西城区": "110102"}
            answers.append(
                sorted(
                    (codes[unit], year, count, recorded.replace(tzinfo=None))
                    for (unit, year), (count, operation, recorded) in last.items()
                    if operation != "撤销"
                )
            )
        return answers

    shuffled = list(made)
    chance.shuffle(shuffled)
    cut = chance.randrange(1, len(shuffled))
    found = in_force_at([shuffled[:cut], shuffled[cut:]])
    plain = [[(*row[:3], row[3].replace(tzinfo=None)) for row in answer] for answer in found]
    assert plain == by_hand()


def test_corrections_and_withdrawals_through_ingest(settings: Settings, spark: SparkSession) -> None:
    def send(day: str, name: str, text: str) -> None:
        source = settings.home / name
        source.write_text(text, encoding="utf-8")
        deliveries.land(settings, source, "place_demand", "110000", date.fromisoformat(day))
        raw.write_raw(settings, f"{day}.1", "place_demand")
        clean.clean_rows(settings, spark, f"{day}.1", "place_demand")

    header = "区,出生年,出生人数"
    send("2025-01-20", "更正.csv", f"{header}\n东城区,2024,11\n")
    send("2025-01-25", "撤销名单.csv", "区,出生年,操作\n西城区,2024,撤销\n")
    # The first statement is handed in last: a file for a past day.
    send("2025-01-10", "出生.csv", f"{header}\n东城区,2024,10\n西城区,2024,20\n")

    def known(day: int) -> dict[str, int]:
        rows = births_in_force(settings, date(2025, 1, 31), datetime(2025, 1, day, 12, tzinfo=UTC))
        return {unit: count for unit, _, count, _ in rows}

    assert known(5) == {}
    assert known(12) == {"110101": 10, "110102": 20}
    assert known(22) == {"110101": 11, "110102": 20}
    assert known(26) == {"110101": 11}
    assert balance.broken(settings) == []
