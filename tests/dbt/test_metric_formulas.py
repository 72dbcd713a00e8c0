"""Nobody computes a metric again: no model and no module divides a declared numerator by its denominator.

Models are read as dbt compiled them, through every alias, sum and cast (`quantities`), so a second formula is
found whatever its columns are called. What `metric_share`, `metric_bound` and `is_void` write is none.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from jobs import declare
from jobs.declare import metrics
from jobs.publish import marts, views
from jobs.settings import ROOT

from .quantities import METRIC, Models

HOME = "fct_metric_value"
# Modules that decide what a mart then shows as it is; the marts' comparison proves their quotient equal.
DECIDED = {"jobs/decide/safety/risk.py": "the raw rate of incidents is what the shrunk one starts from"}
QUOTIENTS = [source for source in metrics.sources() if source["numerator"]]


def source_columns() -> dict[str, list[str]]:
    """The columns of everything that models read and dbt does not make."""
    tables = {table: list(declare.table_columns(table)) for table in declare.all_tables()}
    with duckdb.connect() as connection:
        for name, query in views.standard_queries().items():
            told = connection.execute(f"from ({query}) limit 0").description
            tables[name] = [column for column, *_ in told]
    return tables


@pytest.fixture(scope="module")
def built_models(city: marts.BuildResult) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Name -> compiled SQL of every model, and name -> columns of models and sources."""
    file = city.file.with_name(f"{city.file.stem}.manifest.json")
    nodes: list[dict[str, Any]] = [
        node for node in json.loads(file.read_text())["nodes"].values() if node["resource_type"] == "model"
    ]
    compiled = {node["name"]: node["compiled_code"] for node in nodes}
    assert len(compiled) > 100
    return compiled, source_columns() | {node["name"]: list(node["columns"]) for node in nodes}


def computed_again(models: Models, names: Iterator[str] | list[str]) -> set[str]:
    """`model: metric` of every quotient of a declared numerator and its denominator outside their home."""
    declared = [
        (
            source["metric"],
            models.column(source["model"], source["numerator"]),
            models.column(source["model"], source["denominator"]),
        )
        for source in QUOTIENTS
    ]
    return {
        f"{model}: {metric}"
        for model in names
        if model != HOME
        for above, below, _ in models.quotients(model)
        for metric, numerator, denominator in declared
        if above & numerator and below & denominator
    }


def test_no_model_computes_a_metric_again(
    built_models: tuple[dict[str, str], dict[str, list[str]]],
) -> None:
    models = Models(*built_models)
    assert computed_again(models, list(built_models[0])) == set(), (
        "read fct_metric_value, or take metric_share('…') where the grain is finer"
    )
    # the guard has read what it says it has
    shares = {name for name in built_models[0] for _ in models.quotients(name)}
    assert len(shares) >= 8
    assert f"{METRIC}fitness_pass_share" in models.column("pub_fitness_district_year", "pass_share")


@pytest.mark.parametrize(
    ("sql", "metric"),
    [
        (
            "select good_or_excellent_count / scored_count as x from fct_fitness_rate",
            "good_or_excellent_rate",
        ),
        # other names, a sum over units, a factor and a default
        (
            "with a as (select sum(pass_count) as p, sum(scored_count) as n from fct_fitness_rate)"
            " select round(100.0 * coalesce(p, 0) / nullif(n, 0)::double, 1) as x from a",
            "pass_share",
        ),
        # a reader of a reader
        ("select pass_count / scored_count as x from fct_fitness_school_year", "pass_share"),
        # from the rows themselves
        (
            "select count(*) filter (where r.is_excellent) / count(*) filter (where r.is_scored) as x"
            " from int_fitness__result_unit as r group by school_code",
            "excellent_share",
        ),
        # another population, another denominator, another metric's numerator
        ("select good_or_excellent_count / submitted_count as x from fct_fitness_rate", None),
        ("select scored_count / good_or_excellent_count as x from fct_fitness_rate", None),
        ("select good_or_excellent_share / 2 as x from fct_fitness_rate", None),
    ],
)
def test_a_second_formula_is_found(
    built_models: tuple[dict[str, str], dict[str, list[str]]], sql: str, metric: str | None
) -> None:
    compiled, columns = built_models
    models = Models({**compiled, "fct_second": sql}, {**columns, "fct_second": ["x"]})
    expected = {f"fct_second: fitness_{metric}"} if metric else set()
    # The plan's indicators share a source, of which the fitness rate is a part: its columns are theirs.
    of_plan = {f"fct_second: {s['metric']}" for s in QUOTIENTS if s["model"] == "fct_plan_count"}
    found = computed_again(models, ["fct_second"])
    assert found - of_plan == expected
    assert not found & of_plan or metric == "good_or_excellent_rate"


def divided_by_hand(text: str) -> set[str]:
    """Metrics of which a module divides the declared columns, by name, key or attribute."""

    def named(node: ast.AST) -> set[str]:
        return {
            str(told)
            for part in ast.walk(node)
            for told in (
                getattr(part, "id", None),
                getattr(part, "attr", None),
                part.value if isinstance(part, ast.Constant) else None,
            )
            if isinstance(told, str)
        }

    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            above, below = named(node.left), named(node.right)
            # a column called `numerator` says nothing of which metric
            found |= {
                s["metric"]
                for s in QUOTIENTS
                if s["numerator"] != "numerator" and s["numerator"] in above and s["denominator"] in below
            }
    return found


def test_no_module_divides_what_a_metric_divides() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): again
        for room in ("jobs", "portal")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "node_modules" not in path.parts and (again := divided_by_hand(path.read_text("utf-8")))
    }
    assert {path: again for path, again in found.items() if path not in DECIDED} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = row['pass_count'] / row['scored_count']", {"fitness_pass_share"}),
        ("x = 100 * a.pass_count.sum() / max(a.scored_count.sum(), 1)", {"fitness_pass_share"}),
        ("x = row['scored_count'] / row['pass_count']", set()),
        ("x = row['pass_count'] - row['scored_count']", set()),
    ],
)
def test_a_division_by_hand_is_found(text: str, found: set[str]) -> None:
    assert divided_by_hand(text) == found
