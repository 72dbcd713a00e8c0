"""Fill in the columns of each dbt model's YAML from the one place that declares them.

A model's file names its columns. Type, Chinese title and meaning come from `expectations/`, looked up in this
order: a lake table that the model's SQL names; `mart_columns.yaml` (columns that only dbt makes);
`fields.yaml` (columns of contracts); the tables that the lake itself makes, where all of them agree. A mart's
columns also get what they can hold (`jobs.declare.ranges`), which the tests `sane` and `says_nothing` read,
and over which keys a measure may be summed (`jobs.declare.additive`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jobs import declare
from jobs.declare import EXPECTATIONS, ContractError, additive, ranges
from jobs.files import parse_yaml
from jobs.settings import ROOT

MODELS = ROOT / "dbt" / "models"
MART_COLUMNS = EXPECTATIONS / "mart_columns.yaml"

# (type in DuckDB, title in Chinese, meaning in English)
Meaning = tuple[str, str, str]

# Somebody who adds a column writes `- name: new_column` and runs the command.
_COLUMNS = "    columns:  # types and meanings are filled in by `python -m jobs.publish.marts`\n"
_BLOCK = re.compile(r"^    columns:.*\n(?P<listed>(?:      .*\n)*)", re.MULTILINE)


def filled_in() -> dict[Path, str]:
    """Text of every model's YAML with its columns filled in, by path.

    Raises ContractError for a column that no declaration explains.
    """
    return {
        path: _filled_in(path) for path in sorted(MODELS.rglob("*.yml")) if path.with_suffix(".sql").is_file()
    }


def meaning(column: str, tables: tuple[str, ...] = ()) -> Meaning:
    """What a column of a model that reads these lake tables means.

    Raises ContractError where nothing declares it, or two tables explain it differently.
    """
    for table in tables:
        if column in _table_columns(table):
            return _table_columns(table)[column]
    if column in mart_columns():
        return mart_columns()[column]
    meanings = other_meanings(column)
    if len(meanings) == 1:
        return meanings.pop()
    why = "several tables explain it differently" if meanings else "nothing declares it"
    raise ContractError(f"column {column}: {why}. Explain it in {MART_COLUMNS.name}")


def other_meanings(column: str) -> set[Meaning]:
    """What `fields.yaml` says of a column, else what the lake's own tables say (several: they differ)."""
    if column in _fields():
        return {_fields()[column]}
    return {
        _table_columns(table)[column] for table in declare.made_tables() if column in _table_columns(table)
    }


@cache
def mart_columns() -> dict[str, Meaning]:
    """The columns that only dbt makes."""
    declared = parse_yaml(MART_COLUMNS.read_text("utf-8"))
    return {name: (declare.duckdb_type(kind), zh, en) for name, (kind, zh, en) in declared.items()}


@cache
def _fields() -> dict[str, Meaning]:
    stored = {c.name: c.stored_type for contract in declare.load().values() for c in contract.columns}
    declared = parse_yaml((EXPECTATIONS / "fields.yaml").read_text("utf-8"))
    return {
        name: (declare.duckdb_type(stored.get(name, field["type"])), field["zh"], field["en"])
        for name, field in declared.items()
    }


@cache
def _table_columns(table: str) -> dict[str, Meaning]:
    """The columns of a table that the lake itself makes; none for a contract's, which fields explain."""
    entry = declare.made_declarations().get(table, {"columns": {}})
    return {name: (declare.duckdb_type(kind), zh, en) for name, (kind, zh, en) in entry["columns"].items()}


def _filled_in(path: Path) -> str:
    text, sql = path.read_text("utf-8"), path.with_suffix(".sql").read_text("utf-8")
    tables = tuple(
        sorted((t for t in declare.made_tables() if re.search(rf"\b{t}\b", sql)), key=len, reverse=True)
    )

    def block(found: re.Match[str]) -> str:
        try:
            meanings = {c["name"]: meaning(c["name"], tables) for c in parse_yaml(found["listed"])}
            held = _held(path, meanings, _grain(text))
            return _COLUMNS + "".join(_line(name, told, held[name]) for name, told in meanings.items())
        except ContractError as error:
            raise ContractError(f"{path.name}: {error}") from error

    return _BLOCK.sub(block, text)


def _grain(text: str) -> list[str] | None:
    """The key that a mart's `meta` names; none of what no release shows."""
    (model,) = parse_yaml(text)["models"]
    grain: list[str] | None = model.get("config", {}).get("meta", {}).get("grain")
    return grain


def _held(path: Path, meanings: Mapping[str, Meaning], grain: list[str] | None) -> dict[str, dict[str, Any]]:
    """What each column of a mart can hold and be summed over; steps have no such declaration, for each ends
    in a mart.
    """
    if "marts" not in path.relative_to(MODELS).parts:
        return {name: {} for name in meanings}
    kinds = {name: kind for name, (kind, _, _) in meanings.items()}
    sums = additive.told(path.stem, kinds, grain) if grain else {}
    return {name: {**sums.get(name, {}), **held} for name, held in ranges.told(path.stem, kinds).items()}


def _line(column: str, told: Meaning, held: Mapping[str, Any]) -> str:
    kind, zh, en = told
    meta = {"title_zh": zh, **held}
    entry = {"name": column, "data_type": kind, "description": en, "config": {"meta": meta}}
    written = yaml.safe_dump(
        entry, allow_unicode=True, sort_keys=False, width=10_000, default_flow_style=True
    )
    return f"      - {written.strip()}\n"
