"""The dbt project against the declarations, and its own habits: what is written twice says the same."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from jobs import declare
from jobs.publish import mart_sources, marts, model_files

MODELS = marts.PROJECT / "models"


def models() -> list[Path]:
    found = sorted(MODELS.rglob("*.sql"))
    assert len(found) >= 44, "models are missing: no check below may run over nothing"
    return found


def test_generated_files_follow_the_declarations() -> None:
    for path, text in marts.generated().items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `python -m jobs.publish.marts`"


@pytest.mark.parametrize("path", models(), ids=lambda path: path.stem)
def test_model_is_described_in_a_file_of_its_own(path: Path) -> None:
    told = yaml.safe_load(path.with_suffix(".yml").read_text("utf-8"))
    (model,) = told["models"]
    assert model["name"] == path.stem
    assert re.search(r"[\u4e00-\u9fff].*[A-Za-z]", model["description"]), "Chinese first, then English"
    assert [test["model"] for test in told.get("unit_tests", ())] == [path.stem] * len(
        told.get("unit_tests", ())
    )


def test_every_described_model_exists() -> None:
    described = {path.with_suffix("") for path in MODELS.rglob("*.yml")} - OF_NO_MODEL
    assert described == {path.with_suffix("") for path in models()}


# Files that describe no model: sources, and who reads the marts.
OF_NO_MODEL = {MODELS / "sources", MODELS / "exposures"}


def test_described_columns_are_the_columns_built(city: marts.BuildResult) -> None:
    with duckdb.connect(str(city.file), read_only=True) as connection:
        built: dict[str, list[str]] = {}
        for table, column in connection.execute(
            "select table_name, column_name from duckdb_columns()"
            " where schema_name in ('main', 'staging') order by table_name, column_index"
        ).fetchall():
            built.setdefault(table, []).append(column)
    for path in models():
        (model,) = yaml.safe_load(path.with_suffix(".yml").read_text("utf-8"))["models"]
        assert [column["name"] for column in model["columns"]] == built[path.stem], path.stem


def test_a_mart_column_repeats_no_other_declaration_and_is_used() -> None:
    own = model_files.mart_columns()
    used = {
        column["name"]
        for path in models()
        for column in yaml.safe_load(path.with_suffix(".yml").read_text("utf-8"))["models"][0]["columns"]
    }
    assert own.keys() - used == set(), "nobody has these columns of mart_columns.yaml"
    assert len(own) > 200
    repeated = {name for name, told in own.items() if model_files.other_meanings(name) == {told}}
    assert repeated == set(), "fields.yaml or tables/ say the same already"


@pytest.mark.parametrize("path", models(), ids=lambda path: path.stem)
def test_model_states_its_grain_and_takes_no_date_from_the_clock(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("-- one row per "), "the first line states the grain"
    assert not re.search(r"current_(date|timestamp)|now\(\)|today\(\)|get_current", text)
    assert not re.search(r"^\s*join\b|\bcross join\b", text, flags=re.MULTILINE), "write inner or left"
    layer = path.relative_to(MODELS).parts[0]
    prefix = {"staging": "stg_", "intermediate": "int_"}.get(layer, ("dim_", "fct_", "brg_", "rpt_", "pub_"))
    assert path.stem.startswith(prefix)
    assert (path.parent.name == "public") == path.stem.startswith("pub_")


def test_the_lake_is_read_through_the_window_and_by_staging_alone() -> None:
    """What is as written (`lake`) is the lake's own books; who counts is the window's to say."""
    stated = {table for table in declare.all_tables() if not table.startswith("ops__")}
    staged = set()
    for path in models():
        for view, table in mart_sources.SOURCE.findall(path.read_text("utf-8")):
            if view != "standards":
                assert (view == "lake") == (table not in stated), f"{path.stem} passes the window by"
                is_stock = table == "decision_safety__daily"
                assert path.parent.name == "staging" or is_stock, f"{path.stem} reads {table} itself"
                staged.add(table)
    assert len(staged) >= 40
