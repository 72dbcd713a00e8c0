"""What is written twice says the same: rules as parsed, as declared and on paper; marts and the API.

Each failure prints both sides.
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobs import declare
from jobs.declare import Contract, bounds, dictionary, odcs, units
from jobs.declare.template import write_template
from jobs.judging import judge
from jobs.publish import marts
from portal import models

if TYPE_CHECKING:
    from pathlib import Path

DATASETS = sorted(declare.load())


def made(contract: Contract) -> set[tuple[str, str]]:
    """(reason, verdict) of every condition that parsing builds, and of a repeated key."""
    scaled = {c.name for c in contract.columns if units.siblings(c.unit)}
    refused, flags = judge._judgements(contract, scaled)
    found = {(reason, "refuse") for _, reason in refused} | {(reason, "flag") for _, reason in flags}
    return found | {(f"{contract.key[0]}:repeated_key", "refuse")}


def differing(one: set[Any], other: set[Any], names: tuple[str, str]) -> str:
    return f"only {names[0]}: {sorted(one - other)}; only {names[1]}: {sorted(other - one)}"


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_rules_made_are_the_rules_told(dataset: str) -> None:
    contract = declare.load()[dataset]
    told = {(f"{column}:{rule}", verdict) for column, rule, verdict in contract.row_rules()}
    assert made(contract) == told, differing(made(contract), told, ("parsed", "declared"))


@pytest.mark.parametrize("dataset", DATASETS)
def test_each_rule_stands_in_the_open_contract_and_the_dictionary(dataset: str) -> None:
    contract = declare.load()[dataset]
    told = {(column, rule) for column, rule, _ in contract.row_rules() if column != "operation"}
    (table,) = odcs.open_contract(contract).schema_ or ()
    printed = {(p.name or "", q.name or "") for p in table.properties or () for q in p.quality or ()}
    for quality in table.quality or ():
        name, _, behind = (quality.name or "").rstrip(")").partition("(")
        column = behind.split(", ")[0] if behind else contract.key[0]
        printed.add((column, "repeated_key" if name.startswith("unique_") else name))
    assert printed == told, differing(printed, told, ("in the open contract", "declared"))
    severe = {
        (p.name, q.name): q.severity for p in table.properties or () for q in p.quality or () if q.severity
    }
    refusing = {(c, r) for c, r, verdict in contract.row_rules() if verdict == "refuse"}
    assert {key for key, severity in severe.items() if severity == "error"} == refusing & severe.keys()
    page = dictionary.pages()[dictionary.FOLDER / f"{dataset}.md"]
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for column in contract.columns:
        for rule, _ in contract.column_rules(column):
            assert f"{rule}: " in lines[column.name], (
                f"{dataset}.{column.name}: {rule} is not in the dictionary"
            )
    assert [r.reason for r in contract.rules if f"`{r.reason}` ({r.verdict})" not in page] == []


def test_template_tells_rules_over_columns_and_bounds_by_sex_and_grade(tmp_path: Path) -> None:
    import openpyxl

    contract = declare.load()["test_result"]
    write_template(contract, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx", read_only=True)
    told = {str(cell) for row in book["填写说明"].iter_rows(values_only=True) for cell in row if cell}
    assert {rule.zh for rule in contract.rules} <= told
    rows = [row[:7] for row in book["分组范围"].iter_rows(min_row=2, values_only=True)]
    own = bounds.today(bounds.of(contract))
    assert len(rows) == len(own) > 200
    bound = next(b for b in own if (b.column, b.by) == ("height_cm", ("2", "11")))
    assert ("身高", "女", "小学一年级", bound.ask_from, bound.ask_to, None, bound.refuse_to) in rows


# Marts and the API


def mart_columns() -> dict[str, dict[str, str]]:
    """Mart -> column -> its type in DuckDB, as the model contracts have them."""
    files = sorted((marts.PROJECT / "models" / "marts").rglob("*.yml"))
    told = [model for path in files for model in yaml.safe_load(path.read_text("utf-8"))["models"]]
    return {model["name"]: {c["name"]: c["data_type"] for c in model["columns"]} for model in told}


@pytest.mark.parametrize(
    ("model", "mart"),
    [(models.Card, "rpt_portal__service_card"), (models.PlatformItem, "rpt_portal__platform_item")],
)
def test_the_apis_models_are_the_marts_columns(model: type, mart: str) -> None:
    kinds = {
        "varchar": {str},
        "date": {str},
        "integer": {int},
        "bigint": {int},
        "double": {float},
        "boolean": {bool},
    }
    columns = mart_columns()[mart]
    fields = {name: field.annotation for name, field in model.model_fields.items()}  # type: ignore[attr-defined]
    shared = fields.keys() & columns.keys()
    # What the service adds by itself: the address, and the chart that the mart keeps as JSON.
    assert fields.keys() - columns.keys() <= {"href", "series"}, differing(
        {*fields}, {*columns}, ("in the API", "in the mart")
    )
    for name in sorted(shared):
        parts = set(typing.get_args(fields[name]) or (fields[name],)) - {type(None)}
        plain = {p if isinstance(p, type) else str for p in parts}
        wanted = kinds.get(columns[name], {float})
        assert plain <= wanted or name == "series", f"{mart}.{name}: {plain} in the API, {columns[name]} here"


def test_codes_in_marts_are_codes_of_the_declarations() -> None:
    declared = {
        c.name: declare.duckdb_type(c.stored_type) for k in declare.load().values() for c in k.columns
    }
    sides = [
        (mart, name, kind, declared[name])
        for mart, columns in mart_columns().items()
        for name, kind in columns.items()
        if name in declared
    ]
    assert len(sides) > 60
    assert [side for side in sides if side[2] != side[3]] == [], "mart, column, type there, type declared"
