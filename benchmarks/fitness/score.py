"""Score a million pupils from Delta to Delta: our core beside a DuckDB script with ASOF joins.

    python benchmarks/fitness/score.py --rows 1000000 --repeats 5

Same rows in, same columns out, checked to be equal. Each one's first pass is not counted.
Passes alternate, so that a busy machine slows both. Prints seconds and the ratio of ours to theirs.
"""

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import psutil
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from jobs.decide.fitness import standard as st
from jobs.decide.fitness.exact_numbers import decimals
from jobs.decide.fitness.score import ITEM_CODES, OUTPUT_SCHEMA, score
from jobs.settings import EXPECTATIONS

BONUS_ITEMS = ("rope_skip_1min", "sit_up_1min", "pull_up", "run_1000m", "run_800m")
TYPES = {"height": (4, 1), "weight": (4, 1), "run_50m": (4, 2), "sit_and_reach": (4, 1)}
FILES = 8
LONG_RUNS = ("shuttle_run_50x8", "run_1000m", "run_800m")


def pupils(count: int, seed: int) -> pa.Table:
    """Results spread over all thresholds, typed as in the clean table; 1 % of the items are blank."""
    random = np.random.default_rng(seed)
    standard = st.load()
    codes = np.array(list(standard.grade_index))
    grade, sex = random.integers(0, len(codes), count), random.integers(1, 3, count)
    group = grade * 2 + sex - 1
    meters = 1.1 + grade * 0.045 + random.normal(0, 0.06, count)
    bmi = random.normal(18 + grade * 0.3, 3, count).clip(12, 40)
    columns = {
        "pupil_key": pa.array(np.char.add("p", np.arange(count).astype(str))),
        "school_code": pa.array((3_111_000_000 + random.integers(0, 1900, count)).astype(str)),
        "district_code": pa.array((110_101 + random.integers(0, 16, count)).astype(str)),
        "fitness_grade_code": pa.array(codes[grade].astype(np.int32)),
        "sex_code": pa.array(sex.astype(str)),
        "test_date": pa.array((20_000 + random.integers(0, 60, count)).astype(np.int32)).cast(pa.date32()),
    }
    all_there = np.ones(count, bool)
    columns["height_cm"] = decimals((meters * 1000).astype(np.int64), all_there, 4, 1)
    columns["weight_kg"] = decimals((bmi * meters**2 * 10).astype(np.int64), all_there, 4, 1)
    for item in standard.items:
        code = item.measure.code
        if code == "bmi":
            continue
        units = random.integers(item.first, item.last + 1, count)
        is_there = (item.weight[group] > 0) & (random.random(count) > 0.01)
        units = np.where(is_there, units, 0)
        if code in TYPES or code in LONG_RUNS:
            precision, scale = TYPES.get(code, (6, 2))
            units = units * 10 ** (scale - item.measure.decimals)
            columns[item.measure.column] = decimals(units, is_there, precision, scale)
        else:
            columns[item.measure.column] = pa.array(units, pa.int32(), mask=~is_there)
    return pa.table(columns)


# Long because it is one script, to be read from top to bottom beside the service's own.
def duckdb_script(source: str) -> str:
    """A view `scored` over `source`: an ASOF join an item for points, one for bonus; totals; level."""
    own = "unnest(string_split(grade_codes, '|'))::int as grade, sex_code as sex"
    read = f"from read_csv('{EXPECTATIONS}/standards/fitness/2014/{{}}.csv', all_varchar = true)"
    signed = "threshold::decimal(7, 1) * if(comparison = '<=', -1, 1) as least"
    weight = ", ".join(
        f"max(if(item_code = '{code}', weight_pct::int, null)) as w_{code}" for code in ITEM_CODES
    )
    tables = f"""
        create temp table points as select item_code as item, {own}, points::int as earned, {signed}
        {read.format("scoring")} where threshold is not null;
        insert into points select 'bmi', {own}, points::int, coalesce(lower, '0') {read.format("bmi")};
        create temp table bonus as select item_code as item, {own}, bonus_points::int as earned, {signed}
        {read.format("bonus")};
        create temp table weight as
        select grade, sex, {weight}
        from (select {own}, item_code, weight_pct {read.format("weights")}) group by grade, sex;
    """
    joins, earned = [], []
    lower = {item.measure.code for item in st.load().items if item.lower_is_better}
    columns = {item.measure.code: item.measure.column for item in st.load().items}
    for code, column in columns.items():
        value = f"-r.{column}" if code in lower else f"r.{column}"
        has = f"w_{code} is not null and r.{column} is not null"
        for table in ("points", "bonus"):
            if table == "points" or code in BONUS_ITEMS:
                alias = f"{table}_of_{code}"
                joins.append(
                    f"asof left join (from {table} where item = '{code}') {alias} "
                    f"on {value} >= {alias}.least and {alias}.sex = r.sex_code "
                    f"and {alias}.grade = r.fitness_grade_code"
                )
                earned.append(f"case when {has} then coalesce({alias}.earned, 0) end as {table}_{code}")
            else:
                earned.append(f"case when {has} then 0 end as bonus_{code}")
    weighted = " + ".join(f"coalesce(points_{code} * w_{code}, 0)" for code in ITEM_CODES)
    extra = " + ".join(f"coalesce(bonus_{code}, 0)" for code in ITEM_CODES)
    missing = ", ".join(f"if(w_{code} > 0 and points_{code} is null, '{code}', null)" for code in ITEM_CODES)
    kg, square = "(weight_kg * 10)::bigint", "((height_cm * 10)::bigint * (height_cm * 10)::bigint)"
    levels = (("优秀", 90), ("良好", 80), ("及格", 60), ("不及格", 0))
    level = "case " + " ".join(f"when total >= {least} then '{name}'" for name, least in levels) + " end"
    points = ", ".join(f"points_{code}" for code in ITEM_CODES)
    bonuses = ", ".join(f"bonus_{code}" for code in ITEM_CODES)
    return f"""{tables}
        create temp view scored as
        with r as (
            select *, (({kg} * 200000 * 10 + {square}) // (2 * {square}))::int * 0.1 as bmi
            from {source}
        ),
        p as (
            select r.*, {", ".join(earned)}, {", ".join(f"w_{code}" for code in ITEM_CODES)}
            from r left join weight w on w.grade = fitness_grade_code and w.sex = sex_code {" ".join(joins)}
        ),
        t as (
            select *, (({weighted} + 5) // 10 * 0.1)::decimal(4, 1) as standard, ({extra})::int as extra,
                concat_ws(',', {missing}) as lacks
            from p
        ),
        s as (select *, (standard + extra)::decimal(4, 1) as total, lacks = '' as is_whole from t)
        select {{columns}}, bmi::decimal(4, 1) as bmi, {points}, {bonuses},
            if(is_whole, standard, null) as standard_score, if(is_whole, extra, null) as bonus_total,
            if(is_whole, total, null) as total_score, if(is_whole, {level}, null) as level,
            if(is_whole, 'scored', 'incomplete') as status,
            if(is_whole, null, 'missing:' || lacks) as status_reason, '2014' as standard_version
        from s
    """


@dataclass
class Timing:
    """Seconds of each pass by the clock, and of the processors."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], None]) -> None:
        begun, used = time.monotonic(), processor_seconds()
        work()
        self.wall.append(time.monotonic() - begun)
        self.processor.append(processor_seconds() - used)


def processor_seconds() -> float:
    """User and system time of this process and its descendants."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    # Ended from outside, the server and the folder go, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="edulake-benchmark-"))
    try:
        run(folder, given.rows, given.repeats, given.seed)
    finally:
        shutil.rmtree(folder)


def run(folder: Path, count: int, repeats: int, seed: int) -> None:
    rows = pupils(count, seed)
    source, ours, theirs = (str(folder / name) for name in ("results", "ours", "theirs"))
    for start in range(0, count, count // FILES + 1):
        write_deltalake(source, rows.slice(start, count // FILES + 1), mode="append")
    columns = ", ".join(rows.column_names)
    del rows

    def duck() -> None:
        files = DeltaTable(source).file_uris()
        with duckdb.connect(config={"threads": 2}) as connection:
            script = duckdb_script(f"read_parquet({files})").format(columns=columns)
            connection.execute(script)
            write_deltalake(theirs, connection.sql("from scored").to_arrow_reader(), mode="overwrite")

    def core() -> None:
        statements = DeltaTable(source).to_pyarrow_dataset()
        names = [name for name in statements.schema.names if name not in OUTPUT_SCHEMA.names]
        schema = pa.schema([*(statements.schema.field(name) for name in names), *OUTPUT_SCHEMA])

        def scored() -> Iterator[pa.RecordBatch]:
            for batch in statements.to_batches(batch_size=200_000):
                points = score(batch.rename_columns({"fitness_grade_code": "grade_code"}))
                columns = [*(batch.column(name) for name in names), *points.columns]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

        write_deltalake(ours, pa.RecordBatchReader.from_batches(schema, scored()), mode="overwrite")

    timings = {"core": Timing(), "duckdb": Timing()}
    core()
    duck()
    assert_equal(ours, theirs)
    for _ in range(repeats):
        timings["core"].measure(core)
        timings["duckdb"].measure(duck)
    for name, timing in timings.items():
        print(
            f"{name:>7}: {statistics.median(timing.wall):6.2f} s median, {min(timing.wall):6.2f} s least, "
            f"{statistics.median(timing.processor):6.2f} s of processors ({count:,} rows, {repeats} passes)"
        )
    ratio = statistics.median(timings["core"].wall) / statistics.median(timings["duckdb"].wall)
    least = min(timings["core"].wall) / min(timings["duckdb"].wall)
    print(f"  ratio: {ratio:.2f} of medians, {least:.2f} of least (aim: at most 1.50)")


def assert_equal(ours: str, theirs: str) -> None:
    """Every row and column alike, or the comparison is of two different things."""
    with duckdb.connect() as connection:
        for name, path in (("ours", ours), ("theirs", theirs)):
            connection.execute(f"create view {name} as from read_parquet({DeltaTable(path).file_uris()})")
        columns = [row[0] for row in connection.execute("describe ours").fetchall()]
        assert columns == [row[0] for row in connection.execute("describe theirs").fetchall()]
        for one, other in (("ours", "theirs"), ("theirs", "ours")):
            left = connection.execute(f"select count(*) from (from {one} except from {other})").fetchone()
            assert left == (0,), f"{left} rows of {one} are not in {other}"


if __name__ == "__main__":
    main()
