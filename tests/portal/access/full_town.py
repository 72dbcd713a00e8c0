"""Every published mart, with rows of two districts whose every text tells whose row it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from jobs.files import parse_yaml
from jobs.publish import publication, published_models
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import ROOT, Settings
from jobs.sql import identifier

from .conftest import DISTRICTS, PUPILS, SCHOOLS, canary

# What texts of these columns must be, so that routes that pick rows by them find some.
_KNOWN = {
    "unit_level": "city",
    "platform": "management",
    "school_year": "2025-2026",
    "period": "2025-2026-1",
    "standard": "quality_balance_2017",
}


def marts() -> Iterator[tuple[Model, dict[str, str]]]:
    """Each published mart with its columns and their types, as its YAML tells."""
    for path in sorted((ROOT / "dbt" / "models" / "marts").rglob("*.yml")):
        for node in parse_yaml(path.read_text("utf-8")).get("models", []):
            if "scope" not in node.get("config", {}).get("meta", {}):
                continue
            columns = {column["name"]: column for column in node["columns"]}
            model = published_models.model_of(node["name"], {**node, "columns": columns})
            # What is hidden of small counts is proved elsewhere.
            told = {name: "made up" for name in columns if name not in model.grain}
            protect = {"key": [*model.grain], "harmless": told} if model.public else None
            kinds = {name: column["data_type"] for name, column in columns.items()}
            yield replace(model, renamed=(), protect=protect), kinds


def publish(settings: Settings, folder: Path) -> dict[str, Model]:
    """Publish them. Returns the models."""
    build, models = folder / "full.duckdb", {}
    with duckdb.connect(str(build)) as con:
        for model, columns in marts():
            models[model.name] = model
            listed = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
            con.execute(f"create table {identifier(model.name)} ({listed})")
            marks = ", ".join(f"try_cast(? as {kind})" for kind in columns.values())
            for row in rows(model, columns):
                con.execute(f"insert into {identifier(model.name)} values ({marks})", row)
    made = publication.publish(
        settings,
        "r.1",
        build,
        models,
        {},
        as_of_date="2026-09-10",
        known_at="2026-09-10T00:00:00+00:00",
        code_version="1",
    )
    if made.is_draft:
        publication.approve(settings, made.number, "test", "made up")
    return models


def rows(model: Model, columns: dict[str, str]) -> Iterator[list[Any]]:
    """The rows of a mart: one of the city, one of each district, school or pupil that it can tell of."""
    if model.public or model.scope == CITY:
        plain = "plain" if model.name.startswith("dim_") else "city"
        owner = "public" if model.public else plain
        yield [_value(model, name, kind, owner, {}) for name, kind in columns.items()]
        return
    for district in DISTRICTS:
        own = {model.scope: district, "district_code": district, "unit_code": district}
        own |= {"unit_level": "district", "sender_code": district, "writer_unit_code": district}
        if "school_code" not in columns:
            yield [_value(model, name, kind, district, own) for name, kind in columns.items()]
        for school in SCHOOLS[district]:
            names = ("school_code", "unit_code", "sender_code", "writer_unit_code")
            of_school = own | dict.fromkeys(names, school) | {"unit_level": "school"}
            if model.pupil_rows:
                for pupil in PUPILS[school]:
                    told = of_school | {"pupil_key": pupil}
                    yield [_value(model, name, kind, pupil, told) for name, kind in columns.items()]
            elif {"school_code", "unit_level", model.school_rows} & set(columns):
                yield [_value(model, name, kind, school, of_school) for name, kind in columns.items()]


def _value(model: Model, name: str, kind: str, owner: str, own: dict[str, str]) -> Any:
    if name in own:
        return own[name]
    if name.endswith("_json"):
        return "[]"
    if model.public and name == "district_code":
        return None
    if name.endswith("missing_reason"):
        return None
    if kind == "varchar":
        return _KNOWN.get(name, canary(owner))
    if kind.startswith("boolean"):
        return True
    if kind.startswith(("date", "timestamp")):
        return "2026-09-01"
    if name.endswith("_share"):
        return "0.5"
    return "2025" if "year" in name else "1000" if kind in ("integer", "bigint") else "10"
