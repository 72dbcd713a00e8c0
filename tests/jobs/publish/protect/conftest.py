"""Public tables from a few counts, released one after the other as the product does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from jobs import settings as site
from jobs.publish.protect import archive, hide, rules
from jobs.settings import ROOT, Settings

from ....outsider import rows

PUBLIC = ROOT / "dbt" / "models" / "marts" / "public"


def declared(table: str) -> dict[str, Any]:
    """The `meta` of a public model."""
    model = yaml.safe_load((PUBLIC / f"{table}.yml").read_text("utf-8"))["models"][0]
    meta: dict[str, Any] = model["config"]["meta"]
    return meta | {"columns": {column["name"]: column["data_type"] for column in model["columns"]}}


class Site:
    """A site that publishes tables of counts, and keeps every release as the public sees it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.releases: list[dict[str, list[dict[str, Any]]]] = []
        self.truth: list[dict[str, list[dict[str, Any]]]] = []
        self.counted: dict[str, int] = {}

    def publish(self, seconds: float = hide.SECONDS, **tables: Sequence[Mapping[str, Any]]) -> Site:
        """One more release with these exact rows; columns that they leave out are null."""
        with duckdb.connect() as connection:
            connection.execute("attach ':memory:' as build")
            for table, counts in tables.items():
                columns = declared(table)["columns"]
                kinds = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
                connection.execute(f"create table build.main.{table} ({kinds})")
                marks = ", ".join("?" * len(columns))
                given = [[row.get(name) for name in columns] for row in counts]
                connection.executemany(f"insert into build.main.{table} values ({marks})", given)
            past = archive.read(self.settings)
            number, run_id = len(self.releases) + 1, f"run-{len(self.releases) + 1}"
            asked = [rules.read_rule(table, declared(table)["protect"]) for table in tables]
            done = hide.protect(connection, "build.main", asked, past, self.settings, seconds)
            archive.append(self.settings, number, run_id, past, done.cells)
            self.counted = done.counted
            self.truth.append({table: [dict(row) for row in counts] for table, counts in tables.items()})
            self.releases.append(
                {table: rows(connection, f"from memory.{hide.SCHEMA}.{table}") for table in tables}
            )
        return self

    def column(self, table: str, column: str) -> dict[str, Any]:
        """District (or `city`) -> what the newest release shows."""
        return {row["district_code"] or "city": row[column] for row in self.releases[-1][table]}


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Site]:
    made: list[Path] = []

    def make(**changed: Any) -> Site:
        home = tmp_path / f"home-{len(made)}"
        made.append(home)
        settings = site.load("beijing", home)
        settings.restricted.mkdir(parents=True)
        return Site(replace(settings, **changed))

    return make


def enrollment(*counts: int, city: int | None = None, **more: Any) -> list[dict[str, Any]]:
    """Districts A, B, … of one stage and year, in the order of their counts as dbt's window left them."""
    about = {"stage_code": "primary", "school_year_start": 2025, "has_unmapped_code": False} | more
    parts = [
        about | {"unit_level": "district", "district_code": chr(65 + place), "pupil_count": count}
        for place, count in enumerate(counts)
    ]
    total = sum(counts) if city is None else city
    whole = about | {"unit_level": "city", "district_code": None, "pupil_count": total}
    return sorted([*parts, whole], key=lambda row: row["pupil_count"])


def fitness(*counts: Sequence[int]) -> list[dict[str, Any]]:
    """Districts with (scored, good, passed), and the city."""
    whole = tuple(map(sum, zip(*counts, strict=True)))
    units = [*((chr(65 + place), row) for place, row in enumerate(counts)), (None, whole)]
    return [
        {
            "unit_level": "city" if unit is None else "district",
            "district_code": unit,
            "school_year_start": 2025,
            "has_unmapped_code": False,
            "scored_count": scored,
            "good_or_excellent_count": good,
            "good_or_excellent_share": round(good / scored, 4),
            "pass_count": passed,
            "pass_share": round(passed / scored, 4),
        }
        for unit, (scored, good, passed) in units
    ]
