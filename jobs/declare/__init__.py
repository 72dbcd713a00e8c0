"""What the house expects of every feed and table, as declared in `expectations/`: the names that others use.

`from jobs import declare; declare.load()` is the whole of it for most readers. The modules of this package
import each other, never this page.
"""

from __future__ import annotations

from jobs.declare.codes import (
    CodeList,
    code_file,
    code_list,
    grades_of_no_list,
    is_open,
    same_grades,
    sender_name,
    sender_today,
)
from jobs.declare.contracts import (
    STATEMENTS_OF,
    all_tables,
    datasets_of,
    history_of,
    is_restricted,
    load,
    made_declarations,
    made_tables,
    statements_of,
    table_columns,
)
from jobs.declare.headings import STATING, WITHDRAWING, fold, heading_key
from jobs.declare.model import STATEMENT_COLUMNS, Column, Contract, ContractError, RowRule
from jobs.declare.types import arrow_schema, arrow_type, duckdb_type, spark_ddl, spark_type
from jobs.settings import EXPECTATIONS

__all__ = [
    "EXPECTATIONS",
    "STATEMENTS_OF",
    "STATEMENT_COLUMNS",
    "STATING",
    "WITHDRAWING",
    "CodeList",
    "Column",
    "Contract",
    "ContractError",
    "RowRule",
    "all_tables",
    "arrow_schema",
    "arrow_type",
    "code_file",
    "code_list",
    "datasets_of",
    "duckdb_type",
    "fold",
    "grades_of_no_list",
    "heading_key",
    "history_of",
    "is_open",
    "is_restricted",
    "load",
    "made_declarations",
    "made_tables",
    "same_grades",
    "sender_name",
    "sender_today",
    "spark_ddl",
    "spark_type",
    "statements_of",
    "table_columns",
]
