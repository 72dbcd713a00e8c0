"""A session of SQL: several questions, one audience's file, and questions that would take the machine."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from jobs import settings as site_settings
from jobs.publish import confined, publication, questions, release
from jobs.settings import Settings, UserError
from jobs.site import Sql

from .conftest import MODELS, build


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A site with one release, for reading only."""
    folder = tmp_path_factory.mktemp("confined")
    made = site_settings.load("beijing", folder / "home")
    publication.publish(
        made, "2026-09-10.1", build(folder / "build.duckdb"), MODELS, {},
        as_of_date="2026-09-10", known_at="2026-09-10", code_version="0",
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def session(settings: Settings) -> Iterator[confined.Session]:
    """One session for all questions that are refused: it goes on."""
    with confined.session(settings, *questions.of_release(settings)) as opened:
        yield opened


def answers(settings: Settings, text: str, audience: str = "full") -> list[list[tuple[Any, ...]]]:
    opening, way_out = questions.of_release(settings, None, audience)
    found = []
    with confined.session(settings, opening, way_out) as session:
        for statement in confined.selects(settings, text, way_out):
            with session.asked(statement) as answer:
                found.append(list(answer.rows()))
    return found


def test_several_questions_are_answered_in_their_order(settings: Settings) -> None:
    text = "select 1; -- a; b\nselect ';' ; select count(*) from dim_indicator"
    assert answers(settings, text) == [[(1,)], [(";",)], [(1,)]]


@pytest.mark.parametrize(
    "bad",
    [
        "copy (select 1) to '/tmp/x.csv'", "attach ':memory:' as m", "install httpfs", "load httpfs",
        "set threads = 64", "pragma database_list", "create table t as select 1", "drop table dim_indicator",
        "select * from read_text('/etc/passwd')", "from 'https://localhost/x.parquet'",
        "select getenv('HOME')", "select current_setting('temp_directory')", "from duckdb_settings()",
        "from duckdb_settings( /* a */ )", 'from "duckdb_settings"()', "from duckdb_databases",
        "from duckdb_secrets()", "from which_secret('a', 's3')", "from query('select 1')",
        "select $$'$$, x from duckdb_settings() t(x), (select $$'$$)",
        "select 1 as \"'\", * from duckdb_settings() as \"'\"", "select e'\\'', * from duckdb_settings() --'",
        "from glob('/*')", "export database '/tmp/x'", "call pragma_version()",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["{}", "{}; select 1", "select 1; {}; select 2", "select 1;\n{}"])
def test_each_statement_of_several_is_refused_in_words(
    settings: Settings, session: confined.Session, bad: str, place: str
) -> None:
    with pytest.raises(UserError, match=r"refused: .{20,}") as told:
        ask(session, settings, place.format(bad))
    assert "Error:" not in str(told.value), "in words of ours, not in those of the engine"


def test_words_in_a_text_or_a_comment_refuse_nothing(settings: Settings) -> None:
    assert answers(settings, "select 'getenv(''HOME'')' /* duckdb_settings() */ -- query(") == [
        [("getenv('HOME')",)]
    ]


@pytest.mark.parametrize("audience", ["city", "public", "district-110108"])
def test_an_audience_asks_its_own_file_and_reaches_no_other(settings: Settings, audience: str) -> None:
    assert answers(settings, "select audience from _release", audience) == [[(audience,)]]
    published = release.current(settings)
    assert published is not None
    full = published.file("full")
    for text in (
        "from fct_pupil_fitness",
        f"from '{full}'",
        f"from read_duckdb('{full}', table_name = 'fct_pupil_fitness')",
        f"from read_blob('{full}')",
        f"attach '{full}' as more (read_only)",
        "from full.fct_pupil_fitness",
    ):
        with pytest.raises(UserError, match="refused"):
            answers(settings, text, audience)
    if audience.startswith("district"):
        codes = answers(settings, "select distinct district_code from fct_school_fitness", audience)
        assert codes == [[("110108",)]]


def test_an_audience_without_a_file_is_told_which_there_are(settings: Settings) -> None:
    with pytest.raises(UserError, match="no file for the audience") as told:
        answers(settings, "select 1", "district-999999")
    assert "district-110101" in told.value.way_out


def ask(session: confined.Session, settings: Settings, text: str) -> None:
    for statement in confined.selects(settings, text, ""):
        with session.asked(statement) as answer:
            list(answer.rows())


DEEP = {
    "parentheses": lambda n: f"select {'(' * n}1{')' * n}",
    "subqueries": lambda n: f"{'select * from (' * n}select 1{')' * n}",
    "sums": lambda n: f"select {'+'.join('1' * n)}",
    "cases": lambda n: f"select {'case when true then ' * n}1{' end' * n}",
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_nesting_is_refused_and_the_session_goes_on(
    settings: Settings, session: confined.Session, kind: str
) -> None:
    (fine,) = confined.selects(settings, "select 1", "")
    with pytest.raises(UserError, match="refused"):
        ask(session, settings, DEEP[kind](5_000))
    with session.asked(fine) as answer:
        assert list(answer.rows()) == [(1,)]


@pytest.mark.parametrize(
    "bomb",
    [
        "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t",
        "with recursive t as (select 1 as n union all select n + 1 from t, range(2)) select count(*) from t",
        "select count(*) from range(10000000000) a, range(10000000000) b where a.range + b.range = -1",
        "select count(*) from " + ", ".join(f"range(2) t{i}" for i in range(60)),
        "select list(range) from range(10000000000)",
        "select repeat('x', 4000000000)",
    ],
)
def test_bombs_end_with_words(settings: Settings, bomb: str) -> None:
    small = dataclasses.replace(settings, sql=Sql(seconds=1, memory_mb=128, disk_mb=0))
    with pytest.raises(UserError, match=r"more than (1 s|128 MB)"):
        answers(small, bomb)


def test_a_question_that_the_engine_plans_for_ever_ends_its_process_with_words(settings: Settings) -> None:
    """While it plans, the engine hears no interrupt."""
    script = (
        "import dataclasses, sys\n"
        "from jobs import settings\n"
        "from jobs.publish import confined, questions\n"
        "from jobs.site import Sql\n"
        "confined._GRACE_SECONDS = 1\n"
        f"site = settings.load('beijing', {str(settings.home.parent)!r})\n"
        "site = dataclasses.replace(site, sql=Sql(seconds=1))\n"
        "with questions.on_release(site, 'select ' + '.'.join(['a'] * 40_000)) as answer:\n"
        "    print(answer.columns)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=settings.root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "took more than 1 s" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_as_arrow_has_the_rows_and_types_of_the_other(settings: Settings) -> None:
    opening, way_out = questions.of_release(settings)
    query = "select school_name, pass_share, tested_count from fct_school_fitness order by 1"
    with confined.session(settings, opening, way_out) as session:
        (statement,) = confined.selects(settings, query, way_out)
        with session.asked_as_arrow(statement) as arrow:
            table = pa.Table.from_batches(arrow.batches(), arrow.schema)
        with session.asked(statement) as answer:
            rows = list(answer.rows())
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    assert table.schema.field("pass_share").type == pa.decimal128(5, 4)
    few = dataclasses.replace(settings, sql=Sql(rows=10))
    with (
        confined.session(few, opening, way_out) as session,
        pytest.raises(UserError, match="more than 10 rows"),
        session.asked_as_arrow(statement) as arrow,
    ):
        list(arrow.batches())
