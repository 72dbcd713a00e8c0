"""What a column of one SELECT is made of, in each shape of SQL that models use."""

from __future__ import annotations

import pytest

from jobs.publish import lineage_sql
from jobs.publish.lineage_sql import LineageError, Point

SCHEMA = lineage_sql.schema_of(
    {
        "main": {
            "t": dict.fromkeys(["a", "b", "c", "n", "l"], "varchar"),
            "u": dict.fromkeys(["a", "x"], "varchar"),
        },
        "standards": {"s": {"code": "varchar", "zh": "varchar"}},
    }
)


def read(sql: str) -> lineage_sql.Reads:
    return lineage_sql.reads("m", sql, SCHEMA, {"2001-02-03": "as_of_date"})


def told(edges: lineage_sql.Edges) -> dict[str, str]:
    return {str(point): kind for point, kind in edges.items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a as y from main.t", {"t.a": "renamed"}),
        ("select y from (select a as y from main.t)", {"t.a": "renamed"}),
        ("select a::int as a, b as y from main.t", {"t.b": "renamed"}),
        ("select a || b as y from main.t", {"t.a": "computed", "t.b": "computed"}),
        ("select count(*) as y from main.t", {"t.*": "counted"}),
        ("select count(*) filter (where a = '1') as y from main.t", {"t.*": "counted", "t.a": "counted"}),
        ("select sum(n) filter (where a = '1') as y from main.t", {"t.n": "computed", "t.a": "filtered"}),
        # what decides between values is their source only where all are written out
        ("select case when a = '1' then b else c end as y from main.t",
         {"t.b": "computed", "t.c": "computed", "t.a": "filtered"}),
        ("select case when a = '1' then 'x' else 'z' end as y from main.t", {"t.a": "computed"}),
        ("select case a when '1' then 'x' end as y from main.t", {"t.a": "computed"}),
        ("select if(a = '1', b, null) as y from main.t", {"t.b": "computed", "t.a": "filtered"}),
        ("select row_number() over (partition by a order by b) as y from main.t",
         {"t.a": "computed", "t.b": "computed"}),
        ("select max(n) over (partition by a) as y from main.t", {"t.n": "computed", "t.a": "filtered"}),
        ("select a as y from main.t union all select x from main.u", {"t.a": "renamed", "u.x": "renamed"}),
        ("select a as y, b from main.t union all by name select x as b, a as y from main.u",
         {"t.a": "renamed", "u.a": "renamed"}),
        ("select * exclude (a, b, c, n, l), (select max(x) from main.u where u.a = t.a) as y from main.t",
         {"u.x": "computed", "u.a": "filtered", "t.a": "filtered"}),
        ("select * replace (b as a), a as y from main.t", {"t.a": "renamed"}),
        ("select v.zh as y from main.t, lateral (select s.zh from standards.s where s.code = t.a) as v",
         {"standards.s.zh": "renamed"}),
        ("select unnest(string_split(l, '|')) as y from main.t", {"t.l": "computed"}),
        ("select unnest([{'y': a, 'z': b}, {'y': c, 'z': b}], recursive := true) from main.t",
         {"t.a": "computed", "t.c": "computed"}),
        ("select 'x' as y from main.t", {}),
        ("select a < date '2001-02-03' as y from main.t", {"t.a": "computed", "run.as_of_date": "computed"}),
        ("with recursive r as (select a as y from main.t union all select r.y from r, main.u where u.a = r.y)"
         " select y from r", {"t.a": "renamed"}),
    ],
)  # fmt: skip
def test_a_column_has_these_sources_and_no_others(sql: str, expected: dict[str, str]) -> None:
    assert told(read(sql).columns["y"]) == expected


def test_rows_are_chosen_by_filters_joins_and_groups_of_every_step() -> None:
    found = read(
        "with k as (select a, count(*) as n from main.t where b = '1' group by a)"
        " select k.n from k left join main.u on k.a = u.x qualify row_number() over (order by u.a) = 1"
    )
    assert told(found.rows) == dict.fromkeys(["t.a", "t.b", "u.a", "u.x"], "filtered")
    assert told(found.counted) == {"t.*": "counted"}, "what is joined from the left adds to rows only"


def test_of_two_ways_the_more_direct_is_told() -> None:
    assert told(read("select coalesce(a, b) as y from main.t").columns["y"])["t.a"] == "computed"
    assert lineage_sql.merged({Point("t", "a"): "computed"}, {Point("t", "a"): "copied"}) == {
        Point("t", "a"): "copied"
    }
    assert lineage_sql.after("counted", {Point("t", "a"): "renamed"}) == {Point("t", "a"): "counted"}


def test_a_query_that_looks_aside_at_what_a_recursive_one_gives() -> None:
    found = read(
        "with recursive walk as (select a as y, [b] as way from main.t union all"
        " select walk.y, list_append(walk.way, u.x) as way from walk, main.u where walk.y = u.a),"
        " ends as (select * from walk)"
        " select max(last.one) as y from ends, (select unnest(ends.way) as one) as last"
    )
    assert told(found.columns["y"]) == {"t.b": "computed", "u.x": "computed"}


def test_what_is_no_sql_is_refused_with_the_models_name() -> None:
    with pytest.raises(LineageError, match=r"^m: "):
        read("select from where")
