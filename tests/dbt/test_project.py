"""The dbt project against the declarations, and its own habits: what is written twice says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import declare
from jobs.declare import EXPECTATIONS
from jobs.lake import persons
from jobs.publish import marts

MODELS = marts.PROJECT / "models"


def models() -> list[Path]:
    found = sorted(MODELS.rglob("*.sql"))
    assert len(found) >= 44, "models are missing: no check below may run over nothing"
    return found


def test_generated_files_follow_the_declarations() -> None:
    for path, text in marts.generated().items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `python -m jobs.publish.marts`"


def test_columns_say_what_expectations_say() -> None:
    fields = yaml.safe_load((EXPECTATIONS / "fields.yaml").read_text("utf-8"))
    made = declare.made_declarations()
    told: dict[str, tuple[str, str, str]] = {}
    for table in made.values():
        for name, (kind, zh, en) in table["columns"].items():
            told[name] = (declare.duckdb_type(kind), zh, en)
    stored = {c.name: c.stored_type for contract in declare.load().values() for c in contract.columns}
    for name, field in fields.items():
        told[name] = (declare.duckdb_type(stored.get(name, field["type"])), field["zh"], field["en"])
    columns = _columns()
    shared = [name for name in columns if name in told]
    assert len(shared) > 60
    differing = {name: (columns[name], told[name]) for name in shared if columns[name] != told[name]}
    assert set(differing) == OWN_MEANING, f"mart and expectations/ say different things: {differing}"


# Columns whose mart says something narrower than the lake's table does.
OWN_MEANING = {"p_value", "status", "dataset"}


def test_every_column_is_described_once_and_used() -> None:
    text = (MODELS / "marts" / "marts.yml").read_text("utf-8")
    anchors = re.findall(r"^  - &(\w+) \{name: (\w+),", text, flags=re.MULTILINE)
    assert len(anchors) > 190
    assert all(anchor == name for anchor, name in anchors)
    unused = [name for name, _ in anchors if not re.search(rf"\*{name}\b", text)]
    assert unused == []


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


def test_a_clean_table_is_read_through_its_history_and_nowhere_else() -> None:
    clean = {contract.table for contract in declare.load().values()}
    staged = set()
    for path in models():
        text = path.read_text("utf-8")
        direct = set(re.findall(r"source\('lake', *'(clean_\w+)'", text))
        # Who is who is no contract's: its own model says which word about a person stands.
        assert direct <= {persons.LINKS}, f"{path.stem} passes in_force by"
        found = set(re.findall(r"in_force\('(clean_\w+)'\)", text))
        assert found <= clean, f"{path.stem} reads a table that no contract declares"
        assert not found or path.parent.name == "staging"
        staged |= found
    assert len(staged) >= 10


def _columns() -> dict[str, tuple[str, str, str]]:
    declared: dict[str, Any] = yaml.safe_load((MODELS / "marts" / "marts.yml").read_text("utf-8"))
    return {
        column["name"]: (column["data_type"], column["config"]["meta"]["title_zh"], column["description"])
        for column in declared["anchors"]
    }
