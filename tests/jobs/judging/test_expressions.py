"""Many columns made in one way: the same values as one by one, by one expression."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from jobs import declare
from jobs.judging import expressions as sql
from jobs.judging import judge
from jobs.judging.expressions import Sql, col, replaced


def upper(text: Sql) -> Sql:
    return sql.call("upper", replaced(text, "x+", "y"))


def test_columns_made_alike_are_what_each_is_alone() -> None:
    rows = "select * from (values ('axb', null, 'xx', 1), ('', 'x', '甲x', 2)) rows(a, b, c, n)"
    made = sql.alike(
        rows, {"a": ("a", upper), "b": ("b", upper), "size": ("c", lambda t: sql.call("length", t))}
    )
    with duckdb.connect() as db:
        alone = f"select c, n, {upper(col('a'))}, {upper(col('b'))}, length(c) from ({rows})"
        columns = [name for name, *_ in db.execute(f"describe {made}").fetchall()]
        assert sorted(columns) == ["a", "b", "c", "n", "size"]
        assert db.sql(f"select c, n, a, b, size from ({made})").fetchall() == db.sql(alone).fetchall()
    assert made.count("regexp_replace") == 1


def test_nothing_to_make_leaves_the_rows() -> None:
    assert sql.alike("select 1 as a", {}) == "select 1 as a"


def test_a_contract_of_many_columns_is_planned_with_few_patterns() -> None:
    """DuckDB compiles each pattern of a query anew: 1,100 of them took 1.6 s before the first row."""
    contract = declare.load()["test_result"]
    files = pa.table({"positions": [list(range(len(contract.columns)))], "operation": [-1]})
    with duckdb.connect() as db:
        query = judge.parse(db, "raw", files, contract, "cn")
    assert 100 < query.count("regexp_") < 400
