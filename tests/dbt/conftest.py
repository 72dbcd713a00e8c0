"""Small lakes to build marts from: a case is a folder of CSV files, and adding one needs no code.

    tests/dbt/cases/<case>/given/<table>.csv    rows of a few columns, filled up to the declared schema
    tests/dbt/cases/<case>/expect/<mart>.csv    all rows of a mart, in the columns that the file names

A clean table's file starts with the delivery (`delivered_on`, `sender`, and `delivery` where the sender
delivers more than once a day); a decision's with the `run_id` that made it. An empty cell is null.
"""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from jobs import declare
from jobs import settings as site
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.publish import lineage, marts
from jobs.publish.lineage import Lineage
from jobs.settings import Settings

from ..conftest import built_once

CASES = Path(__file__).with_name("cases")
AS_OF = date(2025, 11, 20)
KNOWN_AT = datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC)
RUN_ID = "2025-11-20.1"


def typed(value: Any, kind: pa.DataType) -> Any:
    return Decimal(str(value)) if pa.types.is_decimal(kind) and value is not None else value


class Lake:
    """Writes rows to the Delta tables of one site."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def write(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        schema = declare.arrow_schema(declare.table_columns(table))
        full = [{field.name: typed(row.get(field.name), field.type) for field in schema} for row in rows]
        where = str(tables.path(self.settings, table))
        write_deltalake(where, pa.Table.from_pylist(full, schema=schema), mode="append")

    def state(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any]],
        day: str = "2025-09-10",
        sender: str = "110101",
        no: int = 1,
    ) -> None:
        """One delivery: its statements, valid for ever unless a row says otherwise."""
        file = hashlib.sha256(f"{table}{day}{sender}{no}".encode()).hexdigest()
        received = date.fromisoformat(day)
        constant: dict[str, Any] = {
            "valid_from": date(2000, 1, 1),
            "stated_on": received,
            "delivery_no": no,
            "recorded_at": datetime(received.year, received.month, received.day, tzinfo=UTC),
            "is_withdrawn": False,
            "scope_key": sender,
            "sender_code": sender,
            "_delivery_id": f"{sender}/{day}_{no}",
            "_file_sha256": file,
        }
        self.write(table, [constant | {"_line_number": line} | dict(row) for line, row in enumerate(rows, 2)])

    def decide(self, table: str, rows: Iterable[Mapping[str, Any]], run_id: str = RUN_ID) -> None:
        """One vintage of decisions, made by `run_id`."""
        day = date.fromisoformat(run_id.split(".")[0])
        recorded = datetime(day.year, day.month, day.day, 15, 59, 59, tzinfo=UTC)
        self.write(table, [{"run_id": run_id, "recorded_at": recorded} | dict(row) for row in rows])

    def take(self, file: Path) -> None:
        """The rows of one CSV file, in its order: one delivery or one vintage after the other."""
        table, rows = file.stem, _rows(file)
        if "delivered_on" in rows[0]:
            for about, own in groupby(
                rows, lambda r: [r.pop(n, "1") for n in ("delivered_on", "sender", "delivery")]
            ):
                day, sender, number = about
                self.state(table, [_typed(table, row) for row in own], day, sender, int(number))
        elif "run_id" in rows[0]:
            for run_id, own in groupby(rows, lambda r: r.pop("run_id")):
                self.decide(table, [_typed(table, row) for row in own], run_id)
        else:
            self.write(table, [_typed(table, row) for row in rows])

    def run(self) -> Run:
        return Run(RUN_ID, self.settings.site, AS_OF, KNOWN_AT, "test", "0" * 16, 7, "running", None, {})

    def build(self, parsed: Path | None = None, **options: Any) -> marts.BuildResult:
        """Build the marts; lakes of one site leave each other in `parsed` what dbt has parsed."""
        own = self.settings.restricted / "builds" / "dbt" / "partial_parse.msgpack"
        own.parent.mkdir(parents=True, exist_ok=True)
        if parsed and (parsed / own.name).exists():
            shutil.copyfile(parsed / own.name, own)
        result = marts.build(self.settings, self.run(), tables.pin(self.settings), **options)
        if parsed:
            shutil.copyfile(own, parsed / own.name)
        return result


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, strict=True))
    assert rows, f"{file} has no rows"
    return rows


def _typed(table: str, row: Mapping[str, str]) -> dict[str, Any]:
    """Texts as the declared types, cells left empty out. A column that the table has not is refused."""
    kinds = {name: declare.arrow_type(kind) for name, kind in declare.table_columns(table).items()}
    return {name: pc.cast(pa.scalar(text), kinds[name]).as_py() for name, text in row.items() if text != ""}


@pytest.fixture(scope="session")
def make_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lake]:
    """`make_lake("nyc")`: an empty lake of that site."""
    return lambda name: Lake(site.load(name, home=tmp_path_factory.mktemp(f"lake_{name}")).prepare())


# Marts that tests ask of a case beside those whose rows it expects.
ALSO = {"control_total": ["pub_control_total"], "late_district": ["fct_control_total"]}


@pytest.fixture(scope="session")
def built(
    make_lake: Callable[[str], Lake], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], marts.BuildResult]:
    """`built("city")`: the marts of that case, built once: the city's all, with dbt's unit tests; of another
    case those that it expects. Of several test processes one builds it; nobody may change it.
    """

    @cache
    def build(case: str) -> marts.BuildResult:
        with built_once(tmp_path_factory, f"case_{case}") as folder:
            if not (folder / "result").exists():
                lake = Lake(site.load("beijing", home=folder).prepare())
                for file in sorted((CASES / case / "given").glob("*.csv")):
                    lake.take(file)
                expected = [file.stem for file in sorted((CASES / case / "expect").glob("*.csv"))]
                is_city = case == "city"
                only = [] if is_city else [*expected, *ALSO.get(case, [])]
                made = lake.build(folder.parent, with_unit_tests=is_city, only=only)
                (folder / "result").write_bytes(pickle.dumps(made))
            result: marts.BuildResult = pickle.loads((folder / "result").read_bytes())
        return result

    return build


@pytest.fixture(scope="session")
def city(built: Callable[[str], marts.BuildResult]) -> marts.BuildResult:
    """Two districts of Beijing with a little of everything."""
    return built("city")


@pytest.fixture(scope="session")
def found(city: marts.BuildResult) -> Lineage:
    """The lineage of today's models."""
    manifest = json.loads(city.file.with_name(f"{city.file.stem}.manifest.json").read_text("utf-8"))
    return lineage.of_models(manifest, {AS_OF.isoformat(): "as_of_date"})


@pytest.fixture
def rows(city: marts.BuildResult) -> Callable[[str], list[tuple[Any, ...]]]:
    """Rows of a query over the built marts of `city`."""
    return lambda query: ask(city.file, query)


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query).fetchall()
