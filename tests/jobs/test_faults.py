"""Faults of the machine, by what libraries really say on a full disk and of a file that is held."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from jobs import faults
from jobs import settings as site
from jobs.settings import Settings, UserError

from ..holding import held, small_disk

ROWS = pa.table({"text": [os.urandom(200).hex() for _ in range(20_000)]})


def _arrow(folder: Path) -> None:
    pq.write_table(ROWS, folder / "x.parquet")


def _delta(folder: Path) -> None:
    write_deltalake(folder / "table", ROWS)


def _duckdb(folder: Path) -> None:
    with duckdb.connect(str(folder / "x.duckdb")) as db:
        db.execute("create table t as select md5(i::varchar) as a from range(1000000) t(i)")
        db.execute("checkpoint")


def _duckdb_copy(folder: Path) -> None:
    with duckdb.connect() as db:
        db.execute(f"copy (select md5(i::varchar) from range(1000000) t(i)) to '{folder / 'x.parquet'}'")


def _sqlite(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "x.db")) as db:
        db.execute(
            "create table t as with recursive n(i) as (select 1 union all select i + 1 from n"
            " where i < 300000) select hex(randomblob(20)) from n"
        )


def _python(folder: Path) -> None:
    (folder / "x").write_bytes(bytes(10_000_000))


WRITERS: dict[str, Callable[[Path], None]] = {
    "arrow": _arrow,
    "delta": _delta,
    "duckdb": _duckdb,
    "duckdb copy": _duckdb_copy,
    "sqlite": _sqlite,
    "python": _python,
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("disk") / "small", 4) as folder:
        yield folder


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_known_whoever_meets_it(disk: Path, writer: str) -> None:
    folder = disk / writer.replace(" ", "_")
    folder.mkdir()
    with pytest.raises(Exception) as met:  # noqa: PT011
        WRITERS[writer](folder)
    assert faults.is_full(met.value), repr(met.value)
    shutil.rmtree(folder)


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    # The child bounds itself: code between fork and exec would run beside Spark's and Arrow's threads.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path; from jobs import faults\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try: Path(sys.argv[1]).write_bytes(bytes(2_000_000))\n"
        "except OSError as error: print(faults.is_full(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")],
        capture_output=True, text=True, check=False, cwd=site.ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_other_errors_are_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error) as wrong:
        duckdb.execute("select cast('a' as integer)")
    assert not faults.is_full(wrong.value)
    assert faults.locked(wrong.value) is None
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "none").read_bytes()
    assert not faults.is_full(missing.value)
    with pytest.raises(FileNotFoundError), faults.told(site.load("beijing", tmp_path).prepare()):
        (tmp_path / "none").read_bytes()


def test_the_words_have_the_path_the_figures_and_the_way_out(disk: Path, tmp_path: Path) -> None:
    """The tables lie on the full disk, the home on another one."""
    settings = replace(site.load("beijing", tmp_path), lake=disk)
    assert faults.short(settings) == disk
    with pytest.raises(UserError) as told, faults.told(settings):
        raise KeyError("what a library made of it")
    free = shutil.disk_usage(disk).free / 1024**2
    figures = f"{free:,.0f} MB are free now, and a run needs 2,048 MB"
    assert f"the disk of {disk} is full: {figures}" in told.value.message
    assert "run again" in told.value.way_out
    roomy = site.load("beijing", tmp_path)
    assert faults.short(roomy) is None
    faults.watch_disk(roomy)
    with pytest.raises(UserError, match="is full"):
        faults.watch_disk(settings)


@pytest.mark.parametrize("way", ["connect", "attach"])
def test_a_held_file_is_named_with_its_holder(tmp_path: Path, way: str) -> None:
    file = tmp_path / "学校 数据.duckdb"
    duckdb.connect(str(file)).close()
    ways = {
        "connect": lambda: duckdb.connect(str(file), read_only=True),
        "attach": lambda: duckdb.connect().execute(f"attach '{file}' as x (read_only)"),
    }
    with held(file) as pid, pytest.raises(duckdb.IOException) as met:
        ways[way]()
    words = faults.locked(met.value)
    assert words is not None
    assert f"{file} is locked by " in words.message
    assert f"process {pid}" in words.message
    assert "read-only" in words.way_out


def test_a_fault_is_seen_behind_what_was_raised_from_it(settings: Settings) -> None:
    behind = RuntimeError("the commit failed")
    behind.__cause__ = OSError(28, "No space left on device")
    assert faults.is_full(behind)
    with pytest.raises(UserError, match=r"a disk was full.* MB are free now"), faults.told(settings):
        raise behind
