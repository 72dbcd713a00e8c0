"""The window on history: what each view shows, in small cases and random ones, the same on both engines.

A case is a folder below `history/`: the rows stated, and of each view the rows expected, as CSV.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlfluff
import sqlglot
import yaml

from jobs import declare
from jobs.declare import ContractError, contracts
from jobs.lake import history, persons, tables, window, withdrawals
from jobs.lake.window import Window
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES = sorted(path.parent for path in (Path(__file__).parent / "history").glob("*/case.yaml"))
DECLARED = [table for table in declare.all_tables() if not table.startswith("ops__")]
AS_OF, KNOWN_AT = date(2025, 11, 20), datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC)


def table_of(dataset: str) -> str:
    contract = declare.load().get(dataset)
    return contract.table if contract else dataset


def state(settings: Settings, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows of a few columns, as text or typed; the others are null."""
    schema = declare.arrow_schema(declare.table_columns(table))
    columns = []
    for field in schema:
        given = [row.get(field.name) for row in rows]
        text = [None if value is None or value == "" else str(value) for value in given]
        columns.append(
            pa.nulls(len(rows), field.type) if set(text) == {None} else pa.array(text).cast(field.type)
        )
    tables.append_rows(settings, table, pa.table(columns, schema=schema), f"{table}/{random.random()}", "run")


def link(settings: Settings, one: str, other: str, day: date, **more: Any) -> None:
    row = {
        "person_token": one,
        "linked_person_token": other,
        "link_reason_code": persons.SAME_DOCUMENT,
        "stated_on": day,
        "delivery_no": 0,
        "recorded_at": f"{day}T00:00:00Z",
        "is_withdrawn": "false",
    }
    state(settings, persons.LINKS, [row | more])


def withdraw(settings: Settings, delivery: str, day: date) -> None:
    withdrawals.add(settings, delivery, "somebody", "handed in by error", [(delivery, day)])


@contextmanager
def on_both(
    settings: Settings, spark: SparkSession, datasets: Sequence[str], as_of: date, known_at: datetime
) -> Iterator[tuple[Window, Window]]:
    """The window in this process, and in Spark: as if no row were few enough."""
    none_is_small = replace(settings, rows_in_process=-1)
    with (
        window.opened(
            settings, as_of, known_at, datasets, lambda: pytest.fail("few rows need no Spark")
        ) as own,
        window.opened(none_is_small, as_of, known_at, datasets, lambda: spark) as by_spark,
    ):
        yield own, by_spark


def rows(shown: Window, dataset: str, columns: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
    """View -> rows as text, sorted. One query: a job of Spark takes as long as its tasks are many."""
    own = ", ".join(columns)
    parts = [f"select '{view}' as _view, {own} from {shown.of(view, dataset)}" for view in history.VIEWS]
    found: dict[str, list[tuple[str, ...]]] = {view: [] for view in history.VIEWS}
    for row in shown.arrow(" union all ".join(parts)).to_pylist():
        found[row.pop("_view")].append(tuple("" if v is None else str(v) for v in row.values()))
    return {view: sorted(of_view) for view, of_view in found.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_view_shows_what_the_case_expects(case: Path, settings: Settings) -> None:
    told = yaml.safe_load((case / "case.yaml").read_text("utf-8"))
    dataset, known_at = told["dataset"], told["known_at"]
    stated = list(csv.DictReader((case / "stated.csv").open(encoding="utf-8")))
    state(settings, table_of(dataset), [told["every_row"] | row for row in stated])
    for one, other, day in told.get("links", ()):
        link(settings, one, other, day)
    for delivery, day in told.get("withdrawn", ()):
        withdraw(settings, delivery, day)
    views = [view for view in history.VIEWS if (case / f"{view}.csv").is_file()]
    assert views, "a case expects something"
    with window.opened(settings, told["as_of_date"], known_at, [dataset]) as shown:
        for view in views:
            columns, *lines = csv.reader((case / f"{view}.csv").open(encoding="utf-8"))
            assert rows(shown, dataset, columns)[view] == sorted(map(tuple, lines)), view


CHANCE = random.Random(20251120)
# One of each kind of history.
STATEMENTS = ("birth", "school_group", "pupil_roll", "decision_fitness__score")
DECISIONS = ("decision_places__forecast_error", "decision_safety__alert")


@pytest.fixture(scope="module")
def random_lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Statements full of corrections, withdrawals, ends and links; the day asked about lies in the middle."""
    from jobs import settings as site

    settings = site.load("beijing", home=tmp_path_factory.mktemp("random")).prepare()
    for number in range(16):
        received = date(2025, 10, 1) + timedelta(days=CHANCE.randrange(80))
        stated = received - timedelta(days=CHANCE.choice((0, 0, 0, 30)))
        sender, year = CHANCE.choice(("110101", "110105")), CHANCE.choice((2023, 2024, 2025))
        file: dict[str, Any] = {
            "stated_on": stated,
            "delivery_no": number,
            "recorded_at": f"{received}T00:00:00Z",
            "sender_code": sender,
            "_file_sha256": f"{CHANCE.randrange(3)}",
            "_delivery_id": f"delivery {number}",
        }
        for dataset in STATEMENTS:
            made = [
                file | {"_line_number": at + 2} | row for at, row in enumerate(_random(dataset, sender, year))
            ]
            state(settings, table_of(dataset), made)
        run = {"run_id": f"{received}.{number}", "recorded_at": f"{received}T00:00:00Z"}
        state(settings, DECISIONS[0], [run | {"level": "unit", "lead": lead} for lead in range(3)])
        state(settings, DECISIONS[1], [run | {"alert_id": alert} for alert in CHANCE.sample("abcdef", 3)])
    for number in (3, 8, 11):
        withdraw(settings, f"delivery {number}", date(2025, 11, 10 + number))
    for _ in range(40):
        one, other = sorted(CHANCE.sample("abcdefghijklmnopqrst", 2))
        day = date(2025, 10, 1) + timedelta(days=CHANCE.randrange(80))
        reason = CHANCE.choice((persons.SAME_DOCUMENT, persons.BUREAU))
        is_withdrawn = str(CHANCE.random() < 0.3).lower()
        link(settings, one, other, day, link_reason_code=reason, is_withdrawn=is_withdrawn)
    return settings


def _random(dataset: str, sender: str, year: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key in CHANCE.sample(range(20), 12):
        first = date(2025, 9, 1) + timedelta(days=CHANCE.randrange(100))
        token = "abcdefghijklmnopqrst"[key]
        row: dict[str, Any] = {
            "is_withdrawn": str(CHANCE.random() < 0.15).lower(),
            "valid_from": first,
            "valid_to": first + timedelta(days=CHANCE.randrange(1, 60)) if CHANCE.random() < 0.3 else None,
            "scope_key": sender,
        }
        of_year = {"school_year_start": year, "valid_from": date(year, 9, 1), "scope_key": f"{sender}|{year}"}
        row |= {
            "birth": {"unit_code": f"u{key}", "birth_year": 2020, "birth_count": CHANCE.randrange(99)},
            "school_group": {"school_group_code": f"g{key % 4}", "school_code": f"s{key}"},
            "pupil_roll": of_year | {"pupil_key": token, "term": 1},
            "decision_fitness__score": {"pupil_key": token, "school_year_start": year, "is_retest": "false"},
        }[dataset]
        found.append(row)
    return found


@pytest.mark.parametrize("dataset", [*STATEMENTS, *DECISIONS])
def test_both_engines_show_the_same_rows(random_lake: Settings, spark: SparkSession, dataset: str) -> None:
    columns = list(declare.table_columns(table_of(dataset)))
    with on_both(random_lake, spark, [dataset], AS_OF, KNOWN_AT) as (own, by_spark):
        found = rows(own, dataset, columns)
        assert rows(by_spark, dataset, columns) == found
    counts = {view: len(of_view) for view, of_view in found.items()}
    assert 0 < counts["in_force"] <= counts["newest_by_scope"] < counts["every_statement"] / 1.5, counts
    assert counts["in_force"] <= counts["chosen"] <= counts["newest_by_scope"]


@pytest.mark.parametrize("dataset", STATEMENTS)
def test_a_day_counts_each_key_once(random_lake: Settings, dataset: str) -> None:
    contract = declare.statements_of(table_of(dataset))
    assert contract is not None
    with window.opened(random_lake, AS_OF, KNOWN_AT, [dataset]) as shown:
        found = rows(shown, dataset, contract.key)
    assert len(found["in_force"]) == len(set(found["in_force"]))
    by_sender = found["newest_by_scope"]
    if dataset == "pupil_roll":
        assert len(by_sender) > len(set(by_sender)), "no sender contradicts another"


@pytest.mark.parametrize("table", DECLARED)
@pytest.mark.parametrize("view", history.VIEWS)
def test_one_text_is_sound_in_both_dialects(view: str, table: str) -> None:
    text = history.text(view, table)
    trees = [sqlglot.parse_one(text, dialect=dialect) for dialect in ("duckdb", "spark")]
    for tree in trees:
        assert list(tree.named_selects) == list(declare.table_columns(table))
        assert not list(tree.find_all(sqlglot.exp.Star, sqlglot.exp.Qualify))
    assert "date '" not in text
    assert "timestamp '" not in text


@pytest.mark.parametrize("dialect", ["duckdb", "sparksql"])
@pytest.mark.parametrize(
    "table",
    [
        *("clean_enrollment__pupil_roll", "clean_enrollment__school", "clean_places__birth"),
        *("decision_places__forecast", "decision_safety__alert"),
    ],
)
def test_linter_of_both_dialects_finds_nothing(table: str, dialect: str) -> None:
    for view in history.VIEWS:
        # Lines are as long as the declarations make them; columns stand in their declared order.
        found = sqlfluff.lint(history.text(view, table) + "\n", dialect, exclude_rules=["layout", "ST06"])
        assert found == []


def test_links_join_persons_as_known(random_lake: Settings) -> None:
    expected = persons.persons(random_lake, KNOWN_AT)
    assert 3 < len(expected) < 19, "the links no longer say anything about sets"
    with window.opened(random_lake, AS_OF, KNOWN_AT, ["pupil_roll"]) as shown:
        keys = {key for (key,) in rows(shown, "pupil_roll", ["pupil_key"])["every_statement"]}
    assert keys.isdisjoint(expected)
    assert keys >= {key for key in expected.values() if key in keys}


def test_a_table_never_written_is_empty(settings: Settings, spark: SparkSession) -> None:
    with on_both(settings, spark, ["birth"], AS_OF, KNOWN_AT) as both:
        for shown in both:
            assert set(map(len, rows(shown, "birth", ["birth_count"]).values())) == {0}


@pytest.mark.parametrize(
    ("dataset", "line"), [("grade_return", None), ("grade_return", "least"), ("birth", "newest")]
)
def test_who_wins_among_senders_is_declared_for_snapshots_alone(
    dataset: str, line: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = yaml.safe_load((declare.EXPECTATIONS / "contracts" / f"{dataset}.yaml").read_text("utf-8"))
    declared.pop("among_senders", None)
    changed = tmp_path / f"{dataset}.yaml"
    changed.write_text(yaml.safe_dump(declared | ({"among_senders": line} if line else {})), "utf-8")
    fields = yaml.safe_load((declare.EXPECTATIONS / "fields.yaml").read_text("utf-8"))
    with pytest.raises(ContractError, match="among_senders"):
        contracts._contract(changed, fields)


def test_duckdb_joins_no_date(random_lake: Settings) -> None:
    """A date that a query told would be a join of unknown size: hash tables were built on all statements."""
    with window.opened(random_lake, AS_OF, KNOWN_AT, ["pupil_roll"]) as shown:
        assert shown.connection is not None
        roll = shown.of("newest_by_scope", "pupil_roll")

        def plan(query: str) -> str:
            ((_, told),) = shown.connection.execute(f"explain {query}").fetchall()
            return str(told)

        asking = "from duckdb_views() where not internal and contains(sql, 'asked')"
        assert shown.connection.execute(asking).fetchall() == []
        assert "Read Parquet" in plan(f"from {roll}")
        assert history.ASKED not in plan(f"from {roll}")
        assert history.ASKED in plan(f"from {roll} where stated_on <= {history.asked('as_of_date')}")
