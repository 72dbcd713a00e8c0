"""The shape of the dbt project: which layer reads which, one home for each rate, who reads the marts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.publish import marts

MODELS = marts.PROJECT / "models"
# A layer, and those that its models may read: never one that is made from it.
MAY_READ = {
    "staging": {"source"},
    "intermediate": {"source", "staging", "intermediate"},
    "marts": {"source", "staging", "intermediate", "marts"},
}


@pytest.fixture(scope="module")
def manifest(city: marts.BuildResult) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(city.file.with_name(f"{city.file.stem}.manifest.json").read_text())
    return told


def wrong_arrows(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`reader -> read` of each model that reads a layer above its own."""
    layer = {
        name: "source" if name.startswith("source.") else str(node["fqn"][1]) for name, node in nodes.items()
    }
    return [
        f"{node['name']} -> {read.split('.')[-1]}"
        for name, node in nodes.items()
        if node["resource_type"] == "model"
        for read in node["depends_on"]["nodes"]
        if layer[read] not in MAY_READ[layer[name]]
    ]


def test_no_layer_reads_one_above_it(manifest: dict[str, Any]) -> None:
    nodes = manifest["nodes"] | manifest["sources"]
    models = [node for node in nodes.values() if node["resource_type"] == "model"]
    assert len(models) == len(list(MODELS.rglob("*.sql")))
    assert wrong_arrows(nodes) == []


def test_an_arrow_that_runs_back_up_is_found() -> None:
    def node(name: str, layer: str, *reads: str) -> dict[str, Any]:
        return {
            "name": name,
            "resource_type": "model",
            "fqn": ["edulake", layer, name],
            "depends_on": {"nodes": [f"model.{read}" for read in reads]},
        }

    nodes = {
        "model.stg_a": node("stg_a", "staging"),
        "model.stg_b": node("stg_b", "staging", "int_a"),
        "model.int_a": node("int_a", "intermediate", "stg_a", "fct_a"),
        "model.fct_a": node("fct_a", "marts", "int_a"),
    }
    assert wrong_arrows(nodes) == ["stg_b -> int_a", "int_a -> fct_a"]


# A level's name, or a literal bound of the total, in SQL: a second definition of what is good or passes.
SECOND_DEFINITION = re.compile(r"优秀|良好|及格|(?:score|points)\s*[<>]=?\s*[1-9]")


def without_comments(sql: str) -> str:
    """SQL and Jinja without what is said about them."""
    return re.sub(r"--.*", "", re.sub(r"\{#.*?#\}", "", sql, flags=re.DOTALL))


def test_good_and_pass_are_defined_by_the_standards_levels_alone() -> None:
    files = [*MODELS.rglob("*.sql"), *(marts.PROJECT / "macros").glob("*.sql")]
    assert len(files) > 80
    found = {
        file.stem: hits
        for file in files
        if (hits := SECOND_DEFINITION.findall(without_comments(file.read_text("utf-8"))))
    }
    assert found == {}, "read is_excellent, is_good_or_excellent, is_pass of int_fitness__result_unit"


def test_the_share_rated_good_is_computed_once() -> None:
    computed = [
        file.stem
        for file in sorted(MODELS.rglob("*.sql"))
        if re.search(r"share\('(?:\w+\.)?(?:good_or_excellent|pass)_count'", file.read_text("utf-8"))
    ]
    assert computed == ["fct_fitness_rate"], "read its shares from fct_fitness_rate"


@pytest.mark.parametrize(
    ("sql", "is_second"),
    [
        ("count(*) filter (where fitness_level in ('优秀', '良好'))", True),
        ("total_score >= 80", True),
        ("points < 60", True),
        ("points >= good_from -- 80 of 良好", False),
        ("{# 优秀 #} select is_pass", False),
    ],
)
def test_a_second_definition_is_found(sql: str, is_second: bool) -> None:
    assert bool(SECOND_DEFINITION.search(without_comments(sql))) == is_second


def test_the_school_year_begins_in_one_macro() -> None:
    files = [*MODELS.rglob("*.sql"), *(marts.PROJECT / "macros").glob("*.sql")]
    counted = {
        file.stem: file.read_text("utf-8").count(", 9, 1)")
        + len(re.findall(r"month\([^)]*\) *[<>=]", file.read_text()))
        for file in files
    }
    assert {name: count for name, count in counted.items() if count} == {"run": 1}


def test_exposures_name_every_published_table(manifest: dict[str, Any]) -> None:
    read = {
        exposure["name"]: {name.split(".")[-1] for name in exposure["depends_on"]["nodes"]}
        for exposure in manifest["exposures"].values()
    }
    published = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["meta"].get("platform", "portal") != "portal"
    }
    assert read["data_api"] == published
    officials = {"rpt_portal__service_card", "rpt_portal__platform_item"}
    assert officials < read["portal"]
    # The cards of who may not see the officials' are made of public tables alone.
    assert all(name.startswith("pub_") for name in read["portal"] - officials)
