"""Great Expectations over a Spark or pandas frame: one pass over a suite, counts kept, no values.

Its default results hold failing values, so results are `BOOLEAN_ONLY`, and no expectation that would have to
print a minimum, maximum or set is laid on a personal column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobs.declare import Contract, code_list, is_open
from jobs.settings import UserError, command_line

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


def contract_expectations(contract: Contract) -> list[dict[str, Any]]:
    """The audit of a clean table before its commit, as plain declarations: {"expect", "stop", arguments…}."""
    clean = contract.clean_columns()
    checks: list[dict[str, Any]] = [{"expect": "ExpectTableRowCountToBeBetween", "min_value": 1}]
    checks.append(
        {"expect": "ExpectTableColumnsToMatchSet", "column_set": [*clean], "exact_match": True},
    )
    for name in (*contract.key, "recorded_at", "_file_sha256"):
        checks.append({"expect": "ExpectColumnValuesToNotBeNull", "column": name})
    checks.append(
        {
            "expect": "ExpectCompoundColumnsToBeUnique",
            "column_list": ["_delivery_id", "_file_sha256", *contract.key],
        }
    )
    for column in contract.columns:
        if column.is_personal or column.name not in clean:
            continue
        if column.codes and not is_open(column) and column.type != "bool":
            codes = sorted(code_list(column.codes).codes(column.codes_kept))
            checks.append(
                {"expect": "ExpectColumnValuesToBeInSet", "column": column.name, "value_set": codes}
            )
        if column.refuse_outside:
            low, high = column.refuse_outside
            checks.append(
                {
                    "expect": "ExpectColumnValuesToBeBetween",
                    "column": column.name,
                    "min_value": low,
                    "max_value": high,
                }
            )
    return checks


class CheckFailedError(UserError):
    """Checks that must hold failed, so the run goes no further. Names run, table and check; no values."""

    def __init__(self, run_id: str, failed: list[dict[str, Any]], details: Sequence[str] = ()) -> None:
        lines = [f"  {c['table_name']}: {c['check_name']} (checked by {c['checked_by']})" for c in failed]
        lines += [f"  {detail}" for detail in details]
        super().__init__(
            f"{len(failed)} checks stop the release of run {run_id}:\n" + "\n".join(lines),
            "The release before it keeps serving. Mend the cause at its sender or in the code, and run "
            f"again; `{command_line('status')}` lists the checks, and "
            "docs/runbooks/failed-audit.md has the steps.",
        )


def stopping(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The checks that failed and stop the release."""
    return [check for check in checks if check["is_stop"] and not check["is_success"]]


def audit(
    df: DataFrame | pd.DataFrame, table: str, checks: list[dict[str, Any]], run_id: str, examined: int
) -> list[dict[str, Any]]:
    """Validate a Spark or pandas frame. Returns one `ops__check` row per check.

    A check with `"stop": False` only warns, one with `"where": {column: value}` is about those rows. Zero
    rows examined fail the row-count check.
    """
    import great_expectations as gx
    from great_expectations.expectations.row_conditions import Column

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    sources = context.data_sources
    source = (
        sources.add_pandas("lake") if type(df).__module__.startswith("pandas") else sources.add_spark("lake")
    )
    asset = source.add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": df})
    suite = gx.ExpectationSuite(name=table)
    for check in checks:
        arguments = {k: v for k, v in check.items() if k not in {"expect", "stop", "where"}}
        for column, value in check.get("where", {}).items():
            arguments["row_condition"] = Column(column) == value
        suite.add_expectation(getattr(gx.expectations, check["expect"])(**arguments))
    outcome = batch.validate(suite, result_format="BOOLEAN_ONLY")
    stops = {_name(check): check.get("stop", True) for check in checks}
    found = []
    for result in outcome.results:
        config = result.expectation_config
        if config is None:
            raise RuntimeError(f"{table}: a result came back without its expectation")
        arguments = config.kwargs
        name = _name({"expect": _camel(config.type), **arguments})
        found.append(
            {
                "run_id": run_id,
                "table_name": table,
                "check_name": name,
                "column_name": arguments.get("column"),
                "is_success": bool(result.success),
                "is_stop": stops.get(name, True),
                "examined_count": examined,
                "unexpected_count": None,
                "checked_by": "gx",
            }
        )
    if len(found) != len(checks):
        raise RuntimeError(f"{table}: {len(checks)} checks were declared and {len(found)} ran")
    return found


def _name(check: Mapping[str, Any]) -> str:
    column = check.get("column") or "+".join(check.get("column_list", ()))
    return f"{check['expect']}({column})"


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))
