"""Pinned views over Delta, and builds of marts at sites that have little, or have it wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs import declare
from jobs.declare import ContractError
from jobs.judging.audit import CheckFailedError, stopping
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.lake.window import PinError
from jobs.publish import marts, views
from jobs.settings import Settings

KNOWN_AT = datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC)
TABLE = "clean_places__birth"


def a_run(site: str) -> Run:
    return Run(
        "2025-11-20.1", site, date(2025, 11, 20), KNOWN_AT, "test", "0" * 16, None, "running", None, {}
    )


def write(where: Path, table: str, rows: list[dict[str, Any]], **options: Any) -> None:
    schema = declare.arrow_schema(declare.table_columns(table))
    statement = {
        "valid_from": date(2000, 1, 1),
        "stated_on": date(2025, 6, 30),
        "delivery_no": 1,
        "recorded_at": datetime(2025, 6, 30, tzinfo=UTC),
        "is_withdrawn": False,
        "scope_key": "all",
        "_file_sha256": "f",
        "_line_number": 2,
    }
    full = [{name: (statement | row).get(name) for name in schema.names} for row in rows]
    write_deltalake(str(where), pa.Table.from_pylist(full, schema=schema), mode="append", **options)


def births(*counts: int) -> list[dict[str, Any]]:
    return [{"unit_code": "110101", "birth_year": 2020 + n, "birth_count": c} for n, c in enumerate(counts)]


def opened(pinned: Mapping[str, Path | tuple[Path, int]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    told = {}
    for table, pin in pinned.items():
        path, version = pin if isinstance(pin, tuple) else (pin, 0)
        told[table] = {"path": str(path), "version": version}
    asked = {"as_of_date": "2025-11-20", "known_at": "2025-11-20T15:59:59+00:00", "tables": told}
    views.create_views(connection, asked)
    return connection


def test_view_reads_the_pinned_version_and_no_later_one(tmp_path: Path) -> None:
    write(tmp_path / "t", TABLE, births(1, 2))
    write(tmp_path / "t", TABLE, births(3))
    query = f"select count(*) from lake.{TABLE}"
    assert opened({TABLE: (tmp_path / "t", 0)}).execute(query).fetchall() == [(2,)]
    assert opened({TABLE: (tmp_path / "t", 1)}).execute(query).fetchall() == [(3,)]


def test_every_declared_table_is_there_empty_and_typed_where_the_site_has_none(tmp_path: Path) -> None:
    schema = declare.arrow_schema(declare.table_columns("ops__receipt"))
    write_deltalake(str(tmp_path / "t"), schema.empty_table())
    connection = opened({"ops__receipt": tmp_path / "t"})
    for table in declare.all_tables():
        described = connection.execute(f"describe lake.{table}").fetchall()
        declared = declare.table_columns(table)
        assert [name for name, *_ in described] == list(declared), table
        for (name, kind, *_), word in zip(described, declared.values(), strict=True):
            assert kind == str(duckdb.sqltype(declare.duckdb_type(word))), f"{table}.{name}"
        assert connection.execute(f"select count(*) from lake.{table}").fetchall() == [(0,)]


def test_view_of_files_has_the_declared_types(tmp_path: Path) -> None:
    table = "decision_fitness__score"
    row = {
        "pupil_key": "a",
        "height_cm": Decimal("130.5"),
        "shuttle_run_50x8_s": None,
        "test_date": date(1899, 12, 30),
    }
    write(tmp_path / "t", table, [row])
    connection = opened({table: tmp_path / "t"})
    connection.execute("set TimeZone = 'UTC'")
    empty = {name: kind for name, kind, *_ in opened({}).execute(f"describe lake.{table}").fetchall()}
    assert {n: k for n, k, *_ in connection.execute(f"describe lake.{table}").fetchall()} == empty
    asked = "height_cm, shuttle_run_50x8_s, test_date, recorded_at"
    assert connection.execute(f"select {asked} from lake.{table}").fetchall() == [
        (Decimal("130.5"), None, date(1899, 12, 30), datetime(2025, 6, 30, tzinfo=UTC))
    ]


def test_files_written_before_a_column_was_added_show_it_as_null(tmp_path: Path) -> None:
    declared = declare.arrow_schema(declare.table_columns(TABLE))
    older = pa.schema([field for field in declared if field.name != "birth_count"])
    write_deltalake(str(tmp_path / "t"), pa.Table.from_pylist([{"unit_code": "110101"}], schema=older))
    assert opened({TABLE: tmp_path / "t"}).execute(f"select birth_count from lake.{TABLE}").fetchall() == [
        (None,)
    ]
    write(tmp_path / "t", TABLE, births(7), schema_mode="merge")
    newer = opened({TABLE: (tmp_path / "t", 1)})
    assert newer.execute(f"select birth_count from lake.{TABLE} order by all").fetchall() == [(7,), (None,)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"configuration": {"delta.enableDeletionVectors": "true"}}, "deletionVectors"),
        ({"partition_by": ["birth_year"]}, "partitioned by birth_year"),
    ],
)
def test_table_that_its_files_do_not_tell_is_refused(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    write(tmp_path / "t", TABLE, births(1), **options)
    with pytest.raises(PinError, match=f"{TABLE} at version 0: .*{problem}") as refused:
        opened({TABLE: tmp_path / "t"})
    assert (refused.value.table, refused.value.version) == (TABLE, 0)


def test_column_mapping_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t", TABLE, births(1))
    log = tmp_path / "t" / "_delta_log" / f"{0:020}.json"
    log.write_text(
        log.read_text().replace('"configuration":{}', '"configuration":{"delta.columnMapping.mode":"name"}')
    )
    with pytest.raises(PinError, match="columnMapping"):
        opened({TABLE: tmp_path / "t"})


def test_column_of_another_type_than_declared_is_refused(tmp_path: Path) -> None:
    columns = {"unit_code": pa.string(), "birth_year": pa.int64()}
    write_deltalake(str(tmp_path / "t"), pa.table({n: pa.array([], k) for n, k in columns.items()}))
    with pytest.raises(PinError, match="column birth_year is int64, declared as int"):
        opened({TABLE: tmp_path / "t"})


def test_pin_of_a_table_that_nobody_declares_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no declaration of table clean_weather"):
        opened({"clean_weather": tmp_path})


def two_states() -> list[dict[str, Any]]:
    """Grade counts of two units over two years, and of one that has closed."""
    counts = [
        {
            "unit_code": unit,
            "parent_unit_code": "South",
            "school_year_start": year,
            "grade_key": grade,
            "pupil_count": 1000,
            "_line_number": line,
        }
        for line, (unit, year, grade) in enumerate(
            (u, y, g) for u in ("ALABAMA", "WEST VIRGINIA") for y in (2023, 2024) for g in ("K3", "P1")
        )
    ]
    # A unit of an earlier year only: it is no longer open, and has a row all the same.
    counts.append({**counts[0], "unit_code": "DAKOTA", "_line_number": 99})
    return counts


def a_forecast() -> list[dict[str, Any]]:
    """A forecast of one year for a unit, its parent and the total."""
    numbers = {name: Decimal(4100) for name in ("forecast", "lower_80", "upper_80", "lower_90", "upper_90")}
    return [
        {
            "run_id": "2025-11-20.1",
            "recorded_at": KNOWN_AT,
            "origin": 2024,
            "level": level,
            "unit_code": unit,
            "parent_unit_code": parent,
            "grade_key": grade,
            "school_year_start": 2025,
            "lead": 1,
            "method": "grade_progression",
            **numbers,
        }
        for level, unit, parent in (
            ("school", "ALABAMA", "South"),
            ("district", "South", "total"),
            ("city", "total", ""),
        )
        for grade in ("K3", "kindergarten", "all")
    ]


def test_site_of_foreign_units_has_a_forecast_and_four_cards(make_settings: Callable[..., Settings]) -> None:
    """Like `nyc` and `us`: grade counts and a forecast, no register, no district of the national list."""
    settings = make_settings("us")
    write(
        tables.path(settings, "clean_enrollment__grade_count"), "clean_enrollment__grade_count", two_states()
    )
    write(tables.path(settings, "decision_places__forecast"), "decision_places__forecast", a_forecast())

    built = marts.build(settings, a_run("us"), tables.pin(settings))

    assert not [test.explained(built.file) for test in built.tests if not test.is_success]
    assert built.file == marts.build_file(settings, "2025-11-20.1")
    with duckdb.connect(str(built.file), read_only=True) as connection:
        schools = connection.execute(
            "select school_name, district_name_zh, is_open from dim_school order by all"
        )
        assert schools.fetchall() == [
            ("ALABAMA", "South", True),
            ("DAKOTA", "South", False),
            ("WEST VIRGINIA", "South", True),
        ]
        cards = connection.execute(
            "select service, status, figure_value from rpt_portal__service_card order by sort_order"
        )
        assert cards.fetchall() == [
            ("places", "ok", Decimal(4100)),
            ("evaluation", "no_data", None),
            ("fitness", "no_data", None),
            ("safety", "no_data", None),
        ]
        spans = connection.execute(
            "select district_code, grade_span, forecast_count from fct_places_forecast order by all"
        )
        assert len(spans.fetchall()) == 6
        assert connection.execute("select count(*) from fct_places_gap").fetchall() == [(0,)], (
            "no places are known"
        )


def test_failed_test_is_told_and_leaves_every_mart_to_look_at(settings: Settings) -> None:
    """Results of a school that no register knows: no district would ever see them, so the release stops."""
    results = [
        {
            "pupil_key": f"p{n}",
            "school_code": "9999999999",
            "school_year_start": 2025,
            "grade_key": "P1",
            "total_score": Decimal("80.0"),
            "sex_code": "1",
            "fitness_grade_code": 11,
            "standard_version": "2014",
            "bmi": Decimal("16.0"),
            "points_bmi": 80,
            "level": "良好",
            "status": "scored",
            "_line_number": n,
        }
        for n in range(30)
    ]
    write(tables.path(settings, "decision_fitness__score"), "decision_fitness__score", results)

    built = marts.build(settings, a_run("beijing"), tables.pin(settings))

    assert built.rows["fct_fitness_result"] == 30
    assert built.rows["rpt_portal__service_card"] == 4, "tests stop the release, not the build"
    stopped = [(test.table, test.column, test.failures) for test in built.failed]
    assert stopped == [("fct_fitness_result", "school_code", 30)]
    told = built.failed[0].explained(built.file)
    assert "fct_fitness_result: match_rate" in told
    assert "30 rows contradict it" in told
    sql = built.failed[0].sql_file
    assert sql is not None
    with duckdb.connect(str(built.file), read_only=True) as connection:
        assert connection.execute(sql.read_text("utf-8")).fetchall() == [(30, 0)]
    warned = [test for test in built.tests if not test.is_success and not test.is_stop]
    assert [(t.table, t.column) for t in warned if t.column] == [("fct_fitness_result", "pupil_key")]
    assert {t.name for t in warned if not t.column} == {"keys_meet_dimensions", "says_nothing"}
    checks = built.checks()
    assert len(checks) == len(built.tests) > 55
    assert {check["checked_by"] for check in checks} == {"dbt"}
    assert str(CheckFailedError(built.run_id, stopping(checks))).startswith("1 checks stop the release")


def test_project_that_dbt_cannot_read_is_an_error_with_its_words(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "build.py").write_text((marts.PROJECT / "build.py").read_text("utf-8"))
    monkeypatch.setattr(marts, "PROJECT", tmp_path / "dbt")
    with pytest.raises(marts.MartsError, match=r"dbt_project\.yml"):
        marts.build(settings, a_run("beijing"), {})


def test_builds_of_earlier_runs_go_but_for_the_newest(settings: Settings) -> None:
    builds = marts.build_file(settings, "any").parent
    builds.mkdir(parents=True)
    for n in range(1, 7):
        for end in ("duckdb", "pins.json", "manifest.json"):
            (builds / f"build-2025-01-0{n}.1.{end}").write_text("")
    half_built = marts.build_file(settings, "2025-11-20.1")
    half_built.write_text("")
    of_an_earlier_version = settings.run / "build-2024-11-20.1.duckdb"
    of_an_earlier_version.parent.mkdir(exist_ok=True)
    of_an_earlier_version.write_text("")
    marts._remove_builds(settings, "2025-11-20.1")
    assert len(list(builds.iterdir())) == 3 * marts.KEPT_BUILDS
    assert not half_built.exists()
    assert not of_an_earlier_version.exists()


def test_a_published_build_goes_and_what_publishing_again_reads_stays(settings: Settings) -> None:
    built = marts.build_file(settings, "2025-11-20.1")
    built.parent.mkdir(parents=True)
    built.write_text("")
    marts.manifest(settings, "2025-11-20.1").write_text("{}")
    marts.remove_build(settings, "2025-11-20.1")
    marts.remove_build(settings, "2025-11-20.1")
    assert [path.name for path in built.parent.iterdir()] == ["build-2025-11-20.1.manifest.json"]
