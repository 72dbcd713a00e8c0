"""The proof that no line is lost and none counts twice: receipts against raw, clean and refused rows.

| outcome | raw lines | clean rows | refused lines |
| --- | --- | --- | --- |
| accepted | `line_count` | `accepted_count`, none of them refused too | `refused_count` |
| held | `line_count` | none | `refused_count` |
| repeated, refused (unreadable), failed | none | none | none |

and always `line_count = accepted_count + refused_count`. A general table has as many lines of each file as
its clean table.
"""

from __future__ import annotations

from typing import Any

import duckdb

from jobs import declare
from jobs.lake import tables
from jobs.settings import Settings
from jobs.sql import parquet

CHECK = "every_line_ends_once"

_QUERY = """
with raw_file as (
    select delivery_id, file_sha256, count(*) as raw_lines, count(distinct place) as raw_places
    from raw_line group by all
),
clean_file as (
    select delivery_id, file_sha256, count(*) as clean_rows, count(distinct place) as clean_lines,
        count(*) filter (where is_flagged) as flagged_rows
    from clean_line group by all
),
general_file as (
    select delivery_id, file_sha256, count(*) as general_rows, count(distinct place) as general_lines
    from general_line group by all
),
parted_file as (
    select delivery_id, file_sha256, count(*) as parted_rows from parted_line group by all
),
refused_place as (select distinct delivery_id, file_sha256, place from refused_line),
refused_file as (select delivery_id, file_sha256, count(*) as refused_lines from refused_place group by all),
both_file as (
    select delivery_id, file_sha256, count(*) as both_lines
    from refused_place semi join clean_line using (delivery_id, file_sha256, place) group by all
),
receipt as (
    -- Equal bytes under two names in one delivery share their lines; the file that was judged owns them.
    select *, outcome in ('accepted', 'held') as is_judged,
        not bool_or(outcome in ('accepted', 'held')) over (partition by delivery_id, file_sha256) as is_alone
    from ops__receipt
),
checked as (
    select receipt_id, outcome,
        case
            when line_count <> accepted_count + refused_count then 'lines <> accepted + refused'
            when raw_lines <> raw_places then 'a raw line stands twice'
            when is_judged and coalesce(raw_lines, 0) <> line_count then 'raw lines <> lines'
            when outcome = 'accepted' and coalesce(clean_rows, 0) <> accepted_count
                then 'clean rows <> accepted'
            when clean_rows <> clean_lines then 'a line stands in clean twice'
            when outcome = 'accepted' and coalesce(flagged_rows, 0) <> flagged_count
                then 'flagged rows <> flagged'
            when coalesce(parted_rows, 0) <> coalesce(general_rows, 0) then 'general rows <> clean rows'
            when general_rows <> general_lines then 'a line stands in general twice'
            when outcome = 'held' and clean_rows > 0 then 'rows of a held file stand in clean'
            when is_judged and coalesce(refused_lines, 0) <> refused_count then 'refused lines <> refused'
            when both_lines > 0 then 'a line stands in clean and is refused'
            when is_alone and coalesce(raw_lines, clean_rows, refused_lines) > 0
                then 'lines of a file that was not judged'
        end as problem
    from receipt
    left join raw_file using (delivery_id, file_sha256)
    left join clean_file using (delivery_id, file_sha256)
    left join general_file using (delivery_id, file_sha256)
    left join parted_file using (delivery_id, file_sha256)
    left join refused_file using (delivery_id, file_sha256)
    left join both_file using (delivery_id, file_sha256)
)
select * from checked where problem is not null
union all
select null, null, 'rows in clean without a receipt'
from clean_file anti join receipt using (delivery_id, file_sha256)
order by all
"""

_LINES = "_delivery_id as delivery_id, _file_sha256 as file_sha256, (_table, _line_number) as place"
_NONE = "'' as delivery_id, '' as file_sha256, (0, 0::bigint) as place"


def broken(settings: Settings) -> list[dict[str, Any]]:
    """Return the files whose lines do not add up: `receipt_id, outcome, problem`.

    Reads the newest version of every table concerned; call it when no batch is half done.
    """
    parted = [c for c in declare.load().values() if c.general_table]
    flagged = "len(flags) > 0 as is_flagged"
    refused = "delivery_id, file_sha256, (table_number, line_number) as place"
    receipt = ", ".join(
        f"null::{declare.duckdb_type(kind)} as {name}"
        for name, kind in declare.table_columns("ops__receipt").items()
    )
    views = {
        "raw_line": ([f"raw_{feed}" for feed in settings.feeds], _LINES, _NONE),
        "clean_line": (
            [c.table for c in declare.load().values()],
            f"{_LINES}, {flagged}",
            f"{_NONE}, false as is_flagged",
        ),
        "parted_line": ([c.table for c in parted], _LINES, _NONE),
        "general_line": ([c.tables[1] for c in parted], _LINES, _NONE),
        "refused_line": (["ops__refused_row"], refused, _NONE),
        "ops__receipt": (["ops__receipt"], "*", receipt),
    }
    with duckdb.connect() as connection:
        for name, (of_tables, columns, none) in views.items():
            connection.execute(f"create view {name} as {_union(settings, of_tables, columns, none)}")
        answer = connection.execute(_QUERY)
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def check(settings: Settings, run_id: str) -> dict[str, Any]:
    """Return the proof as one row of `ops__check`; a failure stops the release."""
    failed = broken(settings)
    examined = len(tables.rows(settings, "ops__receipt", ["receipt_id"]))
    return {
        "run_id": run_id,
        "table_name": "ops__receipt",
        "check_name": CHECK,
        "column_name": None,
        "is_success": not failed,
        "is_stop": True,
        "examined_count": examined,
        "unexpected_count": len(failed),
        "checked_by": "rule",
    }


def _union(settings: Settings, of_tables: list[str], columns: str, none: str) -> str:
    """The rows of these tables one after the other; empty and typed by `none` where none was written yet."""
    parts = []
    for table in of_tables:
        if files := tables.files(tables.open_table(settings, table)):
            parts.append(f"select {columns} from {parquet(*files)}")
    return " union all ".join(parts) or f"select {none} where false"
