"""History asked with SQL: the day's rows, marts built for a day, and nothing but reading."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs import declare
from jobs.lake import runs, tables
from jobs.publish import asof, mart_sources, marts, questions
from jobs.settings import Settings, UserError

BIRTH = {"unit_code": "110101", "birth_year": 2024, "valid_from": date(2024, 1, 1)}
ROLL = "clean_enrollment__pupil_roll"


def state(
    settings: Settings, table: str, day: str, rows: list[dict[str, Any]], sender: str = "110101"
) -> None:
    """One delivery with its receipt."""
    received = date.fromisoformat(day)
    constant = {
        "stated_on": received,
        "delivery_no": 1,
        "recorded_at": datetime(received.year, received.month, received.day, tzinfo=UTC),
        "is_withdrawn": False,
        "sender_code": sender,
        "_file_sha256": f"{sender}{day}",
    }
    names = declare.table_columns(table)
    full = [constant | {"_line_number": line} | row for line, row in enumerate(rows, 2)]
    tables.append_rows(
        settings, table, [{n: row.get(n) for n in names} for row in full], f"{sender}/{day}", "r"
    )
    receipt = dict.fromkeys(declare.table_columns("ops__receipt")) | {
        "receipt_id": day,
        "received_date": received,
    }
    tables.append_rows(settings, "ops__receipt", [receipt], f"{table}/{sender}/{day}", "r")


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Births stated and corrected; a sender's rolls of two terms, the first corrected in the second."""
    state(settings, "clean_places__birth", "2025-03-10", [BIRTH | {"birth_count": 5}])
    state(settings, "clean_places__birth", "2025-04-20", [BIRTH | {"birth_count": 7}])
    for day, term, pupils in (
        ("2024-09-20", 1, "abc"),
        ("2025-03-05", 2, "abz"),
        ("2025-03-17", 1, "abcx"),
    ):
        first = date(2024, 9, 1) if term == 1 else date(2025, 3, 1)
        own = {
            "school_year_start": 2024,
            "term": term,
            "valid_from": first,
            "scope_key": f"110101|2024|{term}",
        }
        state(settings, ROLL, day, [own | {"pupil_key": key, "school_code": "S"} for key in pupils])
    returns = {"unit_code": "S", "grade_key": "P1", "valid_from": date(2024, 9, 1), "school_year_start": 2024}
    for day, count in (("2024-09-25", 9), ("2025-05-05", 90)):
        row = returns | {"pupil_count": count, "scope_key": "110101|2024"}
        state(settings, "clean_enrollment__grade_count", day, [row])
    return settings


def ask(lake: Settings, day: str, query: str, known: str | None = None) -> list[tuple[Any, ...]]:
    last = date.fromisoformat(known) if known else None
    return asof.query(lake, query, date.fromisoformat(day), last)[1]


def test_sql_on_the_lake_counts_each_key_once_and_on_request_every_statement(lake: Settings) -> None:
    def counted(query: str, **options: bool) -> list[tuple[Any, ...]]:
        with questions.on_lake(lake, query, **options) as answer:
            return list(answer.rows())

    births = "select birth_count from clean_places__birth order by all"
    assert counted(births) == [(7,)]
    assert counted(births, every_statement=True) == [(5,), (7,)]
    roll = f"select count(*) from {ROLL}"
    assert counted(roll) == ask(lake, "2025-05-05", roll) != counted(roll, every_statement=True)
    assert counted(f"select count(*) from newest_by_scope.{ROLL}") == [(7,)]
    run = runs.Run(
        "2025-03-20.1", "beijing", date(2025, 3, 20), datetime(2025, 3, 20, 15, 59, tzinfo=UTC),
        "command", "0", None, "published", 1, {},
    )  # fmt: skip
    row = runs._row(run) | {"started_at": run.known_at}
    tables.append_rows(lake, runs.TABLE, [row], run.run_id, run.run_id)
    assert counted(births) == [(5,)], "the day of the newest run counts, and what was known then"


def test_what_was_known_then_is_not_what_is_known_now(lake: Settings) -> None:
    count = "select birth_count from clean_places__birth"
    assert ask(lake, "2025-03-01", count, "2025-03-09") == []
    assert ask(lake, "2025-03-01", count, "2025-04-19") == [(5,)]
    assert ask(lake, "2025-03-01", count, "2025-04-20") == ask(lake, "2025-03-01", count) == [(7,)]
    assert ask(lake, "2023-12-31", count) == []


def test_a_day_counts_each_pupil_once_and_terms_stand_side_by_side_where_asked(lake: Settings) -> None:
    pupils = f"select string_agg(pupil_key, '' order by pupil_key) from {ROLL}"
    assert ask(lake, "2025-03-01", pupils) == [("abz",)], "the corrected first term has ended"
    assert ask(lake, "2025-02-28", pupils) == [("abcx",)]
    assert ask(lake, "2025-02-28", pupils, "2025-03-16") == [("abc",)]
    by_term = f"select term, count(*) from newest_by_scope.{ROLL} group by term order by term"
    assert ask(lake, "2025-03-01", by_term) == [(1, 4), (2, 3)]
    assert ask(lake, "2025-03-01", f"select count(*) from every_statement.{ROLL}") == [(10,)]


def test_a_mart_is_built_for_the_day_asked_about(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, kept = marts.build_models, tmp_path / "kept"

    def once(settings: Settings, names: Any, as_of: Any, known: Any, pins: Any, folder: Path) -> Path:
        """A build takes long: the second question finds the first one's marts."""
        if not kept.exists():
            built = build(settings, names, as_of, known, pins, folder)
            shutil.copytree(folder, kept)
            return built
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        (built,) = folder.glob("*.duckdb")
        return built

    monkeypatch.setattr(marts, "build_models", once)
    both = (
        "select sum(pupil_count) from fct_enrollment_grade"
        " union all select count(*) from clean_enrollment__grade_count"
        " union all select count(pupil_count) from pub_enrollment_district_year"
    )
    found = ask(lake, "2025-06-01", both, "2025-03-31")
    assert found == [(9,), (1,), (0,)], "corrected to 90 in May; a public table hides the nine"
    assert not list(lake.run.glob("*.duckdb")), "nothing of the run's own builds is touched"
    with pytest.raises(UserError, match="refused"):
        ask(lake, "2025-06-01", "from fct_enrollment_grade, read_csv('/etc/hostname')", "2025-03-31")


def test_marts_of_persons_are_not_built_for_who_may_not_read_them(
    lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="fct_fitness_result is made of rows of persons"):
        ask(lake, "2025-06-01", "select count(*) from fct_fitness_result")
    with pytest.raises(UserError, match="refused"):
        ask(lake, "2025-06-01", f"select count(*) from {ROLL}")
    for schema in ("lake", "every_statement", "newest_by_scope", "chosen"):
        with pytest.raises(UserError, match="refused"):
            ask(lake, "2025-06-01", f"select count(*) from {schema}.{ROLL}")


def test_a_mart_that_cannot_be_built_says_so(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(marts, "PROJECT", tmp_path)
    monkeypatch.setattr(mart_sources, "names", lambda: ["fct_enrollment_grade"])
    monkeypatch.setattr(mart_sources, "tables_behind", lambda _: set())
    with pytest.raises(UserError, match="could not be built"):
        ask(lake, "2025-06-01", "from fct_enrollment_grade")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("delete from clean_places__birth", "only SELECT can be asked"),
        ("select 1; select 2", "only one SELECT"),
        ("select * from nothing_there", "refused"),
        ("select * from read_csv('/etc/hostname')", "refused"),
        ("selec", "refused"),
    ],
)
def test_history_is_only_read(lake: Settings, query: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        ask(lake, "2025-11-20", query)


def test_an_empty_lake_says_so(settings: Settings) -> None:
    with pytest.raises(UserError, match="no statement yet"):
        ask(settings, "2025-01-01", "select 1")
