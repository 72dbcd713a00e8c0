"""dbt-duckdb plugin: the window on history at a build's dates, over one version of each table.

Reads a pins file that `jobs.publish.marts` writes once per build (the two dates; table -> path and version).
As the connection opens it makes schema `lake` (every declared table as written; empty and typed where this
site has none), a schema for each view of the window that models read, and schema `standards` (code lists,
dated targets and the site's reporting calendar of `expectations/`, as text).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from deltalake import DeltaTable
from duckdb import DuckDBPyConnection

from jobs import declare
from jobs.declare import EXPECTATIONS, metrics, reporting, standards
from jobs.lake import window
from jobs.sql import file_literals, literals

# What models read of the window; its other views would only take time.
VIEWS = ("every_statement", "newest_by_scope", "chosen")
STANDARDS_SCHEMA = "standards"
CALENDAR = "school_calendar"
REPORTING = "reporting_period"
# Dated standards that marts join, beside all code lists.
STANDARDS = {
    "plan_indicator_target": "evaluation/plan_indicators",
    "balance_rule": "evaluation/balance_rules",
    "control_tolerance": "evaluation/control_tolerances",
    "fitness_eyesight": "fitness/eyesight",
    "fitness_item": "fitness/items",
    "plan_place_target": "places/plan_places",
    "entry_level": "places/entry_levels",
    "inbox_rule": "portal/inbox",
    "portal_text": "portal/texts",
    "resource_term": "resources/terms",
    "evaluation_text": "evaluation/texts",
}
# Tables that each edition of the fitness standard has in a folder of its own.
EDITION_STANDARDS = {"fitness_level": "levels", "fitness_weight": "weights"}


class Plugin(BasePlugin):
    """Makes the views when dbt opens its connection; `pins_file` comes from the profile."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        create_views(conn, json.loads(Path(self._config["pins_file"]).read_text("utf-8")))

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._config = plugin_config


def create_views(conn: DuckDBPyConnection, asked: Mapping[str, Any]) -> None:
    """Views of every declared table at its pinned version and at the dates asked about.

    asked: `as_of_date` and `known_at` in ISO's form, `tables` as name -> path and version, the site's
    `calendar` and `jurisdictions` where it has them. Raises PinError for a table that cannot be read so,
    ContractError for one that nobody declares.
    """
    found: dict[str, DeltaTable | None] = dict.fromkeys(declare.all_tables())
    for name, pin in asked["tables"].items():
        declare.table_columns(name)
        found[name] = DeltaTable(pin["path"], version=pin["version"])
    dates = date.fromisoformat(asked["as_of_date"]), datetime.fromisoformat(asked["known_at"])
    window.create_views(conn, found, *dates, VIEWS)
    conn.execute(f"create schema if not exists {STANDARDS_SCHEMA}")
    for name, query in standard_queries().items():
        conn.execute(f"create or replace view {STANDARDS_SCHEMA}.{name} as {query}")
    days, owed = _calendar(asked.get("calendar")), _reporting_periods(asked, dates[0])
    conn.execute(f"create or replace view {STANDARDS_SCHEMA}.{CALENDAR} as {days}")
    conn.execute(f"create or replace view {STANDARDS_SCHEMA}.{REPORTING} as {owed}")


def standard_queries() -> dict[str, str]:
    """View name -> its SELECT: all code lists, the dated standards that marts join, the tables of every
    edition of the fitness standard, told apart by `standard_version`, and the declared metrics and datasets.
    """
    lists = {
        path.stem: _csv(declare.code_file(path.stem))
        for path in sorted((EXPECTATIONS / "codes").glob("*.csv"))
    }
    dated = {view: _csv(standards.file(name)) for view, name in STANDARDS.items()}
    editions = {
        view: " union all by name ".join(
            _csv(
                standards.file(f"fitness/{edition['folder']}/{name}"),
                f"*, {literals(edition['standard_version'])} as standard_version",
            )
            for edition in standards.rows("fitness/editions")
        )
        for view, name in EDITION_STANDARDS.items()
    }
    declared = {"metric": _values(metrics.rows()), "dataset": _values(_datasets())}
    return lists | dated | editions | declared


def _calendar(file: str | None) -> str:
    """The site's school calendar as text; without rows where the site brings none."""
    empty = ", ".join(f"null::varchar as {name}" for name in ("date", "is_school_day", "term", "reason"))
    stated = f" union all by name ({_csv(Path(file))})" if file else ""
    return f"(select {empty} where false){stated}"


def _datasets() -> list[dict[str, Any]]:
    return [
        {
            "dataset": one.dataset,
            "feed": one.feed,
            "dataset_zh": one.zh,
            "dataset_en": one.en,
            "is_snapshot": str(one.delivery == "snapshot").lower(),
        }
        for one in declare.load().values()
    ]


def _reporting_periods(asked: Mapping[str, Any], as_of: date) -> str:
    """The periods of the site's reporting calendar that have opened by a day, as text."""
    calendar = asked.get("calendar")
    due = reporting.load(asked.get("jurisdictions", ()))
    found = reporting.periods(due, reporting.days_of(Path(calendar) if calendar else None), as_of)
    rows = [asdict(one) | {"types": "|".join(one.types)} for one in found]
    nothing = dict.fromkeys((field.name for field in fields(reporting.Period)), "")
    return _values(rows) if rows else f"{_values([nothing])} where false"


def _values(rows: Sequence[Mapping[str, Any]]) -> str:
    def cells(row: Mapping[str, Any]) -> str:
        return ", ".join("null" if cell is None else literals(str(cell)) for cell in row.values())

    told = ", ".join(f"({cells(row)})" for row in rows)
    return f"select * from (values {told}) as declared ({', '.join(rows[0])})"


def _csv(path: Path, columns: str = "*") -> str:
    options = "header = true, all_varchar = true, delim = ',', quote = '\"'"
    return f"select {columns} from read_csv({file_literals(path)}, {options})"
