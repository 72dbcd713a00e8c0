"""Files to clean rows, all rules: our ingest beside scripts written by hand for two shapes alone.

    python -m benchmarks.feeds.throughput roll --rows 1000000
    python -m benchmarks.feeds.throughput fitness --books 400 --rows-of-book 1000

`roll`: pupil_roll in GB18030 CSV, beside DuckDB (its time includes Python's transcoding to UTF-8, since it
reads no GB18030). `fitness`: test_result in XLSX, beside calamine and polars. Both keep the raw lines, judge
every rule of the contract, make the pupils' keys and write Parquet; neither script audits, receipts, or
survives a kill. Accepted and refused lines are checked to be as many. The engine is warm: the first turn is
not counted. Turns alternate, so that a busy machine slows both.
"""

import argparse
import hashlib
import hmac
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import psutil
import python_calamine

from benchmarks.feeds import inputs
from jobs import declare
from jobs import settings as site_settings
from jobs.ingest import clean, raw
from jobs.judging.judge import NOTHING
from jobs.lake import deliveries, identity, tables
from jobs.settings import Settings
from jobs.spark import launch, server

Outcome = tuple[int, int]  # accepted, refused
CORES = 2


def ours(files: list[Path], feed: str, home: Path, url: str) -> tuple[float, float, Outcome]:
    """Seconds to raw and from raw to clean, in a lake of its own on the warm engine."""
    os.environ |= {"EDULAKE_HOME": str(home), "EDULAKE_SPARK": url}
    settings = site_settings.load("beijing").prepare()
    for file in files:
        deliveries.land(settings, file, feed, file.name.split("_")[0], date(2024, 11, 1))
    with server.session(settings) as spark:
        begun = time.perf_counter()
        raw.write_raw(settings, "bench", feed)
        landed = time.perf_counter()
        clean.clean_rows(settings, spark, "bench", feed)
        done = time.perf_counter()
    receipts = tables.rows(settings, "ops__receipt")
    outcome = sum(r["accepted_count"] for r in receipts), sum(r["refused_count"] for r in receipts)
    shutil.rmtree(home)
    return landed - begun, done - landed, outcome


# DuckDB


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def keyed(secret: bytes, column: str) -> str:
    """HMAC-SHA256 as SQL, its first 32 hex digits."""
    block = secret.ljust(64, b"\0") if len(secret) <= 64 else hashlib.sha256(secret).digest().ljust(64, b"\0")
    inner, outer = ("from_hex(" + quoted(bytes(b ^ pad for b in block).hex()) + ")" for pad in (0x36, 0x5C))
    message = f"{inner} || encode('pupil_national_id|' || {column})"
    return f"substr(sha256({outer} || from_hex(sha256({message}))), 1, 32)"


# Long because it is one script, to be read from top to bottom beside the lake's own.
def with_duckdb(files: list[Path], folder: Path, settings: Settings) -> Outcome:
    contract = declare.load()["pupil_roll"]
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes().decode("gb18030").encode())
    wide = "".join(chr(c) for c in range(0xFF01, 0xFF5F)) + "\u3000\u00a0"
    narrow = "".join(chr(c) for c in range(0x21, 0x7F)) + "  "
    nothing = ", ".join(quoted(word) for word in NOTHING)

    pairs = f"{quoted(wide)}, {quoted(narrow)}"
    plains, texts, values, refused = [], [], [], []
    for column in contract.columns:
        name, cell = column.name, f'"{column.headings[0]}"'
        # DuckDB's `translate` reads its two lists anew for each row: only where there is something to narrow.
        is_wide = f"strlen({cell}) > length({cell}) and regexp_matches({cell}, '[！-～\u3000\u00a0]')"
        slim = f"case when {is_wide} then translate({cell}, {pairs}) else {cell} end"
        plains.append(f"trim(ltrim(trim({slim}), '''')) as {name}")
        texts.append(f"case when {name} not in ({nothing}) then {name} end as {name}")
        value = name
        if column.codes:
            spellings = declare.code_list(column.codes).spellings(column.codes_column)
            listed = " ".join(f"when {quoted(k)} then {quoted(v)}" for k, v in spellings.items())
            value = f"case {name} {listed} end"
        elif column.type == "date":
            value = (
                f"coalesce(case when regexp_full_match({name}, '\\d{{8}}')"
                f" then try_strptime({name}, '%Y%m%d') end,"
                f" try_strptime(regexp_replace({name}, '[-/.年月]', '-', 'g'), '%Y-%m-%d'))::date"
            )
        values.append(f"{value} as v_{name}")
        if column.required:
            refused.append(f"{name} is null")
        if column.type == "date":
            refused.append(f"{name} is not null and v_{name} is null")
        if column.pattern:
            refused.append(f"not regexp_full_match(v_{name}, {quoted(column.pattern)})")
        if column.check_digit:
            whole = f"try_cast(substr({name}, 2, 17) as bigint)"
            digits = [f"{whole} // {10 ** (16 - i)} % 10 * {w}" for i, w in enumerate(inputs.WEIGHTS)]
            total = " + ".join(digits)
            refused.append(
                f"regexp_full_match({name}, '[GJ]\\d{{17}}[0-9X]') and "
                f"substr('10X98765432', (({total}) % 11 + 1)::int, 1) <> substr({name}, 19, 1)"
            )
    sources = ", ".join(quoted(str(folder / file.name)) for file in files)
    key = keyed(identity.secret(settings), "upper(pupil_national_id)")
    with duckdb.connect(config={"threads": CORES}) as db:
        db.execute(
            f"create table raw as select *, row_number() over () as line from "
            f"read_csv([{sources}], all_varchar = true, header = true, delim = ',', filename = true)"
        )
        db.execute(f"copy raw to {quoted(str(folder / 'raw.parquet'))}")
        reasons = ", ".join(f"case when {rule} then '{n}' end" for n, rule in enumerate(refused))
        db.execute(
            f"create table judged as with p as (select filename, line, {', '.join(plains)} from raw),"
            f" t as (select filename, line, {', '.join(texts)} from p),"
            f" v as (select *, {', '.join(values)} from t),"
            f" r as (select *, concat_ws(',', {reasons}) as refused from v)"
            f" select *, {key} as pupil_key, refused = '' and row_number() over (partition by filename,"
            f" refused = '', pupil_national_id order by line) > 1 as is_repeated from r"
        )
        sound = "refused = '' and not is_repeated"
        kept = ", ".join(f"v_{c.name}" for c in contract.columns if c.privacy != "direct")
        out = quoted(str(folder / "clean.parquet"))
        db.execute(f"copy (select pupil_key, filename, line, {kept} from judged where {sound}) to {out}")
        out = quoted(str(folder / "refused.parquet"))
        db.execute(f"copy (select filename, line, refused from judged where not ({sound})) to {out}")
        counted = db.execute(f"select count(*) filter ({sound}), count(*) from judged").fetchone()
    assert counted is not None
    return counted[0], counted[1] - counted[0]


# calamine and polars


def with_polars(files: list[Path], folder: Path, settings: Settings) -> Outcome:
    contract = declare.load()["test_result"]
    secret = identity.secret(settings)
    names = {column.headings[0]: column for column in contract.columns}
    parts = []
    for file in files:
        book = python_calamine.load_workbook(str(file))
        header, *rows = book.get_sheet_by_index(0).to_python()
        texts = [[str(cell) for cell in column] for column in zip(*rows, strict=True)]
        part = pl.DataFrame(dict(zip([names[str(h)].name for h in header], texts, strict=True)))
        parts.append(part.with_columns(pl.lit(file.name).alias("file")))
    raw = pl.concat(parts)
    raw.write_parquet(folder / "raw.parquet")
    refused = []
    frame = raw.with_columns(
        pl.when(pl.col(c.name).str.strip_chars(" '").is_in(list(NOTHING)).not_())
        .then(pl.col(c.name).str.strip_chars(" '"))
        .alias(c.name)
        for c in contract.columns
    )
    for column in contract.columns:
        text = pl.col(column.name)
        if column.required:
            refused.append(text.is_null())
        if column.pattern:
            refused.append(text.str.contains(f"^(?:{column.pattern})$").not_())
        if column.check_digit:
            total = sum(
                (
                    text.str.slice(i + 1, 1).cast(pl.Int64, strict=False) * w
                    for i, w in enumerate(inputs.WEIGHTS)
                ),
                pl.lit(0),
            )
            check = pl.lit("10X98765432").str.slice(total % 11, 1)
            refused.append(text.str.contains(r"^[GJ]\d{17}[0-9X]$") & (check != text.str.slice(18, 1)))
        if column.refuse_outside and not column.codes:
            value = text.cast(pl.Float64, strict=False)
            refused.append(
                (text.is_not_null() & value.is_null()) | value.is_between(*column.refuse_outside).not_()
            )
    judged = frame.with_columns(pl.any_horizontal(r.fill_null(False) for r in refused).alias("refused"))
    keys = [
        hmac.digest(secret, number.encode(), "sha256")[:16].hex() if number else None
        for number in judged["pupil_national_id"]
    ]
    judged = judged.with_columns(pl.Series("pupil_key", keys))
    repeated = pl.struct("file", "refused", "pupil_national_id").is_first_distinct().not_() & ~pl.col(
        "refused"
    )
    judged = judged.with_columns((pl.col("refused") | repeated).alias("refused"))
    direct = [c.name for c in contract.columns if c.privacy == "direct"]
    judged.filter(~pl.col("refused")).drop(direct).write_parquet(folder / "clean.parquet")
    judged.filter("refused").select("file").write_parquet(folder / "refused.parquet")
    lost = int(judged["refused"].sum())
    return judged.height - lost, lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("shape", choices=["roll", "fitness"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--books", type=int, default=400)
    parser.add_argument("--rows-of-book", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    # Ended from outside, the engine is stopped all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    theirs: Callable[[list[Path], Path, Settings], Outcome]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sent = folder / "sent"
        sent.mkdir()
        if asked.shape == "roll":
            files, feed, theirs = inputs.roll_files(sent, asked.rows, asked.seed), "enrollment", with_duckdb
        else:
            files = inputs.fitness_files(sent, asked.books, asked.rows_of_book, asked.seed)
            feed, theirs = "physical_fitness", with_polars
        settings = site_settings.load("beijing", home=folder / "engine").prepare()
        # As a run does for a landing of this size.
        launch.LARGE_LANDING_BYTES = min(launch.LARGE_LANDING_BYTES, sum(f.stat().st_size for f in files))
        shutil.copytree(sent, settings.landing / feed / "x" / "2024-11-01_1")
        url = server.start(settings).url
        own: list[float] = []
        other: list[float] = []
        try:
            for turn in range(asked.repeats + 1):
                raw, clean, outcome = ours(files, feed, folder / f"home{turn}", url)
                work = folder / f"work{turn}"
                work.mkdir()
                begun = time.perf_counter()
                expected = theirs(files, work, settings)
                seconds = time.perf_counter() - begun
                shutil.rmtree(work)
                assert outcome == expected, f"ours {outcome}, theirs {expected}"
                print(
                    f"{'warm-up' if turn == 0 else turn}: ours {raw + clean:.1f} s"
                    f" (raw {raw:.1f}, clean {clean:.1f}), theirs {seconds:.1f} s,"
                    f" load {psutil.getloadavg()[0]:.1f}",
                    flush=True,
                )
                if turn:
                    own.append(raw + clean)
                    other.append(seconds)
        finally:
            server.stop(settings)
        rows = sum(outcome)
        a, b = statistics.median(own), statistics.median(other)
        print(
            f"{rows} rows, {outcome[1]} refused by both; ours {rows / a:,.0f} rows/s, theirs {rows / b:,.0f}"
        )
        print(f"ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
