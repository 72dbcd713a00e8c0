"""Schools as then and as now: the compiled models over drawn histories of known truth, and over nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs.publish import marts

MODELS = (
    *("int_enrollment__school_successor", "int_enrollment__school_spell", "int_enrollment__school"),
    *("dim_school_history", "brg_school_as"),
)
DRAWS = 30
FIRST, LAST, LISTED_FROM = 2016, 2025, 2020
DISTRICTS = ("D1", "D2", "D3")
Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class School:
    """A school as it really is, whatever its code."""

    code: str
    name: str
    district: str
    opened: date
    since: date
    past_codes: list[str] = field(default_factory=list)
    closed: date | None = None
    into: School | None = None

    def heir(self) -> School:
        return self.into.heir() if self.into else self


class World:
    """Ten years of schools that merge, part, move and change names and codes; what senders say of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.schools: list[School] = []
        self.ended: dict[str, tuple[date, bool, str]] = {}  # code -> day, somebody goes on with it, district
        self.changes: list[dict[str, Any]] = []
        self.listed: list[dict[str, Any]] = []
        self.counts: list[dict[str, Any]] = []
        self.holder: dict[tuple[str, int], tuple[School, str, str]] = {}
        for number in range(8):
            self._open(f"S{number:02}", date(2001, 9, 1))
        for year in range(FIRST, LAST + 1):
            for day in (date(year, 3, 1), date(year, 9, 1)):
                for _ in range(self.rng.choice((0, 1, 2)) if year > FIRST else 0):
                    self._happen(day)
            self._report(year)

    def _open(self, code: str, day: date) -> School:
        name, district = f"N{self.rng.randrange(10**6)}", self.rng.choice(DISTRICTS)
        self.schools.append(School(code, name, district, day, day))
        self.ended.pop(code, None)
        return self.schools[-1]

    def _happen(self, day: date) -> None:
        # one of which nobody ever heard cannot be told
        standing = [
            s for s in self.schools if s.closed is None and (s.opened.year, 9) < (day.year, day.month)
        ]
        if len(standing) < 3:
            return
        one, other = self.rng.sample(standing, 2)
        kind = self.rng.choice(
            ("merge", "merge", "recode", "split", "stay", "move", "rename", "close", "reuse")
        )
        new = f"S{self.rng.randrange(10, 99)}"
        if new in self.ended or any(new in (s.code, *s.past_codes) for s in self.schools):
            return
        if kind == "merge":
            # some still name the code that the other school had before
            old = [c for c in other.past_codes if c in self.ended and day.month == 3]
            named = self.rng.choice([other.code, *old])
            self._end(one, named, kind, day)
            one.closed, one.into = day, other
        elif kind in ("recode", "split"):
            self._end(one, new, kind, day)
            one.past_codes.append(one.code)
            one.code, one.since = new, day
        elif kind == "stay":
            self._say(one.code, one.code, "split", day)
            self._open(new, day)
        elif kind == "move":
            one.district = self.rng.choice(DISTRICTS)
            if day.month == 3 or self.rng.random() < 0.5:
                self._say(
                    one.code, self.rng.choice((None, one.code)), kind, day, new_district_code=one.district
                )
        elif kind == "rename":
            one.name = f"N{self.rng.randrange(10**6)}"
            self._say(one.code, self.rng.choice((None, one.code)), kind, day, new_school_name=one.name)
        elif kind == "close" and any(count["unit_code"] == one.code for count in self.counts):
            self._end(one, None, kind, day)
            one.closed = day
        elif kind == "reuse" and day > date(LISTED_FROM, 9, 1) and day.month == 9:
            free = [
                c for c, (ended, goes_on, _) in self.ended.items() if goes_on and ended.year < day.year - 1
            ]
            if free:
                self._open(self.rng.choice(free), day)

    def _end(self, school: School, to: str | None, kind: str, day: date) -> None:
        self._say(school.code, to, kind, day)
        self.ended[school.code] = (day, to is not None, school.district)

    def _say(self, code: str, to: str | None, kind: str, day: date, **more: str) -> None:
        statement = {
            "from_school_code": code,
            "to_school_code": to,
            "change_kind_code": kind,
            "change_date": day,
        }
        self.changes.append(statement | more)

    def _report(self, year: int) -> None:
        for school in self.schools:
            if school.closed is None:
                count = self.rng.randrange(20, 90)
                key = {"unit_code": school.code, "school_year_start": year, "grade_key": "P1"}
                self.counts.append(key | {"parent_unit_code": school.district, "pupil_count": count})
                self.holder[school.code, year] = (school, school.name, school.district)
        codes = {s.code: s for s in self.schools if s.closed is None}
        for code, (day, _, district) in self.ended.items():
            # registers still list some codes that have ended
            if self.rng.random() < 0.3 and day.year < year:
                codes[code] = School(code, "stale", district, date(2001, 9, 1), day)
        for code, school in codes.items() if year >= LISTED_FROM else ():
            row = {"school_code": code, "school_year_start": year, "school_name": school.name}
            row |= {"district_code": school.district, "opened_date": school.opened}
            row["area_name"] = f"A of {school.district}"
            self.listed.append(row)


@pytest.fixture(scope="module")
def asked(city: marts.BuildResult) -> Iterator[Callable[..., Ask]]:
    """`asked(changes, listed, counts)`: a query's rows over the models' answer to these statements."""
    target = city.file.parent / "dbt" / "compiled" / "edulake" / "models"
    texts = {name: next(target.rglob(f"{name}.sql")).read_text("utf-8") for name in MODELS}
    catalog = city.file.name.partition(".")[0]  # by which the compiled models call it
    with duckdb.connect() as db:
        db.execute(f"attach '{city.file}' as built (read_only); attach ':memory:' as \"{catalog}\"")
        db.execute(f'use "{catalog}"; create schema staging')
        inputs = db.execute(
            "select schema_name, table_name, string_agg(column_name || ' ' || data_type, ', ')"
            " from duckdb_columns() where database_name = 'built' and table_name in"
            " ('stg_enrollment__school', 'stg_enrollment__school_change', 'stg_enrollment__school_listed',"
            " 'stg_enrollment__grade_count', 'int_enrollment__district', 'dim_school_year') group by all"
        ).fetchall()

        def ask(
            changes: list[dict[str, Any]], listed: list[dict[str, Any]], counts: list[dict[str, Any]]
        ) -> Ask:
            stated = {
                "stated_on": date(2025, 9, 11),
                "sender_code": "s",
                "delivery_no": 1,
                "_file_sha256": "f",
            }
            years = range(FIRST, LAST + 3)
            given = {
                "stg_enrollment__school_change": [
                    stated | {"_line_number": n} | c for n, c in enumerate(changes)
                ],
                "stg_enrollment__school_listed": listed,
                "stg_enrollment__school": [r for r in listed if r["school_year_start"] == LAST],
                "stg_enrollment__grade_count": counts,
                "dim_school_year": [
                    {
                        "school_year_start": y,
                        "year_first_date": date(y, 9, 1),
                        "year_last_date": date(y + 1, 8, 31),
                    }
                    for y in years
                ],
            }
            for schema, table, columns in inputs:
                db.execute(f"create or replace table {schema}.{table} ({columns})")
                if rows := given.get(table):
                    names = list(dict.fromkeys(name for row in rows for name in row))
                    found = pa.table({name: [row.get(name) for row in rows] for name in names})
                    kept = ", ".join(name for name in names if f"{name} " in columns)
                    db.register("found", found)
                    db.execute(f"insert into {schema}.{table} by name select {kept} from found")
            for name, text in texts.items():
                schema = "main" if name.startswith(("dim", "brg")) else "staging"
                db.execute(f"create or replace table {schema}.{name} as {text}")
            return lambda query: db.execute(query).fetchall()

        yield ask


def shuffled(world: World) -> list[dict[str, Any]]:
    return world.rng.sample(world.changes, len(world.changes))


SPELLS = """
select school_code, valid_from from (
    select *, lead(valid_from) over (partition by school_code order by valid_from) as next_from
    from dim_school_history
) where valid_to is distinct from next_from or valid_to <= valid_from
"""
SUMS = """
select school_year_start from (
    select c.school_year_start, count(*) as n, sum(pupil_count) as pupils,
        sum(pupil_count) filter (where as_then_district_code is not null) as as_then,
        sum(pupil_count) filter (where as_now_district_code is not null and d.is_open is not null) as as_now
    from staging.stg_enrollment__grade_count as c
    left join brg_school_as as b on c.unit_code = b.school_code and c.school_year_start = b.school_year_start
    left join staging.int_enrollment__school as d on b.as_now_school_code = d.school_code
    group by all
) natural join (
    select school_year_start, count(*) as rows_given from staging.stg_enrollment__grade_count group by all
) where n <> rows_given or pupils <> as_then or pupils is distinct from as_now
"""

AREAS = "select count(*) from dim_school_history where area_name <> 'A of ' || district_code"


def test_drawn_histories_are_told_as_they_were(asked: Callable[..., Ask]) -> None:
    seen: dict[str, int] = {}
    for seed in range(DRAWS):
        world = World(seed)
        ask = asked(shuffled(world), world.listed, world.counts)
        assert ask(SPELLS) == [], seed
        assert ask(SUMS) == [], seed
        # A school that moved never stands in the old district in an area of the new one, nor the reverse.
        assert ask(AREAS) == [(0,)], seed
        found = ask(
            "select school_code, school_year_start, as_now_school_code, as_now_district_code,"
            " as_then_district_code, as_then_school_name from brg_school_as"
        )
        told = {(code, year): row for code, year, *row in found}
        assert len(told) == len(found)
        for (code, year), (school, name, district) in world.holder.items():
            heir = school.heir()
            want = [heir.code, heir.district, district, name]
            where = f"seed {seed}: {code} in {year}"
            assert told[code, year][:3] == want[:3], where
            if year >= LISTED_FROM:
                assert told[code, year][3] == name, where
        for change in world.changes:
            seen[change["change_kind_code"]] = seen.get(change["change_kind_code"], 0) + 1
        assert (
            ask(
                "select s.school_code from staging.int_enrollment__school as s join dim_school_history as h"
                " on s.school_code = h.school_code and h.valid_to is null where s.is_open <> h.is_open"
            )
            == []
        ), seed
    assert min(seen.values()) > DRAWS // 3, seen
    assert {"merge", "recode", "split", "move", "rename", "close"} <= seen.keys()


def test_contradictory_changes_neither_hang_nor_double(asked: Callable[..., Ask]) -> None:
    for seed in range(DRAWS // 2):
        world = World(seed)
        rng = random.Random(seed)
        codes = [*sorted({count["unit_code"] for count in world.counts}), "X1", "X2"]
        for _ in range(8):
            day = date(rng.randrange(FIRST, LAST + 1), 9, 1)
            world._say(
                rng.choice(codes), rng.choice([*codes, None]), rng.choice(("merge", "split", "reopen")), day
            )
        ask = asked(shuffled(world), world.listed, world.counts)
        assert ask(SPELLS) == [], seed
        assert ask(SUMS) == [], seed
        assert (
            ask("select 1 from brg_school_as group by school_code, school_year_start having count(*) > 1")
            == []
        )


def test_one_switch_gives_districts_as_then_and_as_now(asked: Callable[..., Ask]) -> None:
    def listed(code: str, district: str, year: int) -> dict[str, Any]:
        row = {"school_code": code, "school_name": code, "district_code": district, "school_year_start": year}
        return row | {"area_name": f"A of {district}", "opened_date": date(2001, 9, 1)}

    def counted(code: str, district: str, year: int, pupils: int) -> dict[str, Any]:
        row = {"unit_code": code, "parent_unit_code": district, "school_year_start": year}
        return row | {"grade_key": "P1", "pupil_count": pupils}

    ask = asked(
        [
            {
                "from_school_code": "A",
                "to_school_code": "B",
                "change_kind_code": "merge",
                "change_date": date(2025, 9, 1),
            }
        ],
        [listed("B", "D2", 2025), listed("C", "D1", 2025)],
        # B moves from D1 to D2 in the year in which A is merged into it
        [
            *(counted("A", "D1", 2024, 10), counted("B", "D1", 2024, 20), counted("C", "D1", 2024, 40)),
            *(counted("B", "D2", 2025, 31), counted("C", "D1", 2025, 41)),
        ],
    )
    for basis, want in {
        "then": [("D1", 2024, 70), ("D1", 2025, 41), ("D2", 2025, 31)],
        "now": [("D1", 2024, 40), ("D1", 2025, 41), ("D2", 2024, 30), ("D2", 2025, 31)],
    }.items():
        assert (
            ask(
                f"select as_{basis}_district_code, b.school_year_start, sum(pupil_count)"
                " from brg_school_as as b join staging.stg_enrollment__grade_count as c"
                " on b.school_code = c.unit_code and b.school_year_start = c.school_year_start"
                " group by all order by all"
            )
            == want
        )
