"""The same history by Spark and by dbt: what is in force of tables full of corrections and withdrawals."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from jobs import declare
from jobs.lake import asof, persons, tables
from jobs.lake.history import in_force
from jobs.publish import marts
from jobs.settings import UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RANDOM = random.Random(20251120)
DELIVERIES = 12
KEYS = 25
DATASETS = {"birth": "stg_places__birth", "school_group": "stg_resources__school_group"}


@pytest.fixture(scope="module")
def built(make_lake: Callable[[str], Any]) -> tuple[Any, marts.BuildResult]:
    """A lake of random statements; the day asked about lies in the middle of them."""
    lake = make_lake("beijing")
    for number in range(DELIVERIES):
        received = date(2025, 10, 1) + timedelta(days=RANDOM.randrange(80))
        stated = received - timedelta(days=RANDOM.choice((0, 0, 0, 30)))
        sender = RANDOM.choice(("110101", "110105"))
        lake.state("clean_places__birth", _births(stated), f"{received}", sender, number)
        lake.state("clean_resources__school_group", _groups(stated), f"{received}", sender, number)
    lake.write(persons.LINKS, [_link() for _ in range(40)])
    return lake, lake.build()


def _link() -> dict[str, Any]:
    one, other = sorted(RANDOM.sample("abcdefghijklmnopqrst", 2))
    stated = date(2025, 10, 1) + timedelta(days=RANDOM.randrange(80))
    return {
        "person_token": one,
        "linked_person_token": other,
        "link_reason_code": RANDOM.choice((persons.SAME_DOCUMENT, persons.BUREAU)),
        "stated_on": stated,
        "delivery_no": RANDOM.randrange(3),
        "recorded_at": datetime(stated.year, stated.month, stated.day, tzinfo=UTC),
        "is_withdrawn": RANDOM.random() < 0.3,
    }


def _births(stated: date) -> list[dict[str, Any]]:
    return [
        _statement(stated) | {"unit_code": f"u{key}", "birth_year": 2020, "birth_count": RANDOM.randrange(99)}
        for key in RANDOM.sample(range(KEYS), 15)
    ]


def _groups(stated: date) -> list[dict[str, Any]]:
    return [
        _statement(stated)
        | {"school_group_code": f"g{key % 4}", "school_code": f"s{key}", "group_role_code": "member"}
        for key in RANDOM.sample(range(KEYS), 10)
    ]


def _statement(stated: date) -> dict[str, Any]:
    first = date(2025, 9, 1) + timedelta(days=RANDOM.randrange(100))
    ends = RANDOM.random() < 0.3
    return {
        "stated_on": stated,
        "is_withdrawn": RANDOM.random() < 0.15,
        "valid_from": first,
        "valid_to": first + timedelta(days=RANDOM.randrange(1, 60)) if ends else None,
    }


@pytest.mark.parametrize("dataset", DATASETS)
def test_spark_and_dbt_have_the_same_statements_in_force(
    built: tuple[Any, marts.BuildResult], spark: SparkSession, dataset: str
) -> None:
    lake, result = built
    contract = declare.load()[dataset]
    run = lake.run()
    statements = spark.read.format("delta").load(str(tables.path(lake.settings, contract.table)))
    by_spark = in_force(statements, contract, run.as_of_date, run.known_at)
    with duckdb.connect(str(result.file), read_only=True) as connection:
        by_dbt = connection.table(f"staging.{DATASETS[dataset]}")
        columns = by_dbt.columns
        expected = sorted(tuple(row) for row in by_spark.select(*columns).collect())
        found = sorted(by_dbt.fetchall())
    assert 0 < len(expected) < statements.count() / 3, "the statements no longer say anything about history"
    assert found == expected


def test_python_and_dbt_join_the_same_persons(built: tuple[Any, marts.BuildResult]) -> None:
    lake, result = built
    with duckdb.connect(str(result.file), read_only=True) as connection:
        query = "select person_token, pupil_key from staging.int_enrollment__person"
        found = dict(connection.execute(query).fetchall())
    expected = persons.persons(lake.settings, lake.run().known_at)
    assert 3 < len(expected) < 19, "the links no longer say anything about sets"
    assert found == expected


@pytest.mark.parametrize("dataset", DATASETS)
def test_history_asked_with_sql_is_that_of_dbt(built: tuple[Any, marts.BuildResult], dataset: str) -> None:
    lake, result = built
    table = declare.load()[dataset].table
    run = lake.run()
    with duckdb.connect(str(result.file), read_only=True) as connection:
        by_dbt = connection.table(f"staging.{DATASETS[dataset]}")
        columns = ", ".join(by_dbt.columns)
        expected = sorted(by_dbt.fetchall())
    names, found = asof.query(
        lake.settings, f"select {columns} from {table}", run.as_of_date, known=date(2025, 11, 20)
    )
    assert names == columns.split(", ")
    assert sorted(found) == expected


def test_what_was_known_then_is_not_what_is_known_now(make_lake: Callable[[str], Any]) -> None:
    lake = make_lake("beijing")
    birth = {"unit_code": "110101", "birth_year": 2024, "valid_from": date(2024, 1, 1)}
    lake.state("clean_places__birth", [birth | {"birth_count": 5}], "2025-03-10", no=1)
    lake.state("clean_places__birth", [birth | {"birth_count": 7}], "2025-04-20", no=1)
    days = [
        {"receipt_id": day, "received_date": date.fromisoformat(day)} for day in ("2025-03-10", "2025-04-20")
    ]
    lake.write("ops__receipt", days)

    def count(day: str, known: str | None) -> list[tuple[Any, ...]]:
        last = date.fromisoformat(known) if known else None
        return asof.query(
            lake.settings, "select birth_count from clean_places__birth", date.fromisoformat(day), last
        )[1]

    assert count("2025-03-01", "2025-03-09") == []
    assert count("2025-03-01", "2025-04-19") == [(5,)]
    assert count("2025-03-01", "2025-04-20") == count("2025-03-01", None) == [(7,)]
    assert count("2023-12-31", None) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("delete from clean_places__birth", "only one SELECT"),
        ("select 1; select 2", "only one SELECT"),
        ("select * from nothing_there", "refused"),
        ("select * from read_csv('/etc/hostname')", "refused"),
        ("selec", "refused"),
    ],
)
def test_history_is_only_read(built: tuple[Any, marts.BuildResult], query: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        asof.query(built[0].settings, query, date(2025, 11, 20), date(2025, 11, 20))


def test_an_empty_lake_says_so(make_lake: Callable[[str], Any]) -> None:
    with pytest.raises(UserError, match="no statement yet"):
        asof.query(make_lake("beijing").settings, "select 1", date(2025, 1, 1))
