"""Audit the marts of a build by the hand-written suites of `expectations/suites/marts.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from jobs.declare import EXPECTATIONS
from jobs.files import parse_yaml
from jobs.judging.audit import audit


def mart_checks() -> dict[str, list[dict[str, Any]]]:
    """Mart -> its checks."""
    declared: dict[str, list[dict[str, Any]]] = parse_yaml(
        (EXPECTATIONS / "suites" / "marts.yaml").read_text(encoding="utf-8")
    )
    return declared


def audit_marts(build_file: Path, run_id: str) -> list[dict[str, Any]]:
    """Audit each mart of a build by its suite. Empty marts are left out, because a site may lack them.

    Returns one `ops__check` row per check. Raises KeyError for a suite on a mart that was not built.
    """
    found: list[dict[str, Any]] = []
    with duckdb.connect(str(build_file), read_only=True) as build:
        built = {
            name for (name,) in build.execute("select table_name from information_schema.tables").fetchall()
        }
        for table, checks in mart_checks().items():
            if table not in built:
                raise KeyError(f"expectations/suites/marts.yaml: no mart {table} was built")
            frame = build.table(table).df()
            if len(frame):
                found += audit(frame, table, checks, run_id, len(frame))
    return found
