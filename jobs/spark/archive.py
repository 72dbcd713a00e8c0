"""Java's archive of loaded classes, made once per environment and Java: it halves the work of a start.

`make_later` has it made beside everything else, at the lowest priority; that takes about a minute and 230 MB.
`java_options` uses an archive where there is one. Java itself leaves one unused that does not fit the
jars; a making that is killed leaves nothing that would be used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from jobs import settings as site_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.spark.server import Java

FOLDER = Path(sys.prefix) / "edulake" / "archive"
DUMP_SECONDS = 600.0  # 20 s when nobody else wants the cores


def java_options(java: Java, classpath: str) -> list[str]:
    """What makes `java` start with the archive; nothing where none was made."""
    base, top = _files(java, classpath)
    return [f"-XX:SharedArchiveFile={base}:{top}"] if base.is_file() and top.is_file() else []


def discard(java: Java, classpath: str) -> None:
    """Remove the archive: Java 17 ends at a damaged one, where 21 would go on without."""
    for part in _files(java, classpath):
        part.unlink(missing_ok=True)


def make_later() -> bool:
    """Have the archive made in the background, if it is missing; true if that was begun."""
    from jobs.spark import server

    java = server.find_java()
    if java_options(java, server.classpath()):
        return False
    subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.spark.archive"],
        cwd=site_settings.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True


def make() -> bool:
    """Make the archive with an own server that does once what a run does; true if there is a new one."""
    from jobs.spark import server

    java, classpath = server.find_java(), server.classpath()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("a") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if java_options(java, classpath):
            return False
        base, top = _files(java, classpath)
        for old in FOLDER.glob("*.jsa*"):
            old.unlink()
        # The packaged Java comes without a base archive, so each gets one; at once under its final name, to
        # which the second archive refers.
        dump_base = [str(java.executable), "-Xshare:dump", f"-XX:SharedArchiveFile={base}", *server.GC]
        subprocess.run(dump_base, check=True, capture_output=True)
        part = top.with_suffix(".part")
        own = site_settings.load("beijing", home=FOLDER / "home")
        options = [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={part}"]
        try:
            started = server.start(own, java_options=options)
            with server.session(own) as spark:
                _warm_up(spark, own.lake)
            process = psutil.Process(started.pid)
            process.terminate()
            process.wait(DUMP_SECONDS)
        finally:
            server.stop(own)
            shutil.rmtree(own.home.parent)
        proof = [str(java.executable), "-Xshare:on", f"-XX:SharedArchiveFile={base}:{part}", *server.GC]
        is_whole = subprocess.run([*proof, "-cp", classpath, "-version"], capture_output=True).returncode == 0
        if is_whole:
            part.replace(top)
        part.unlink(missing_ok=True)
        return is_whole


def _files(java: Java, classpath: str) -> tuple[Path, Path]:
    seen = f"{java.executable.resolve()} {java.version} {classpath}"
    name = hashlib.sha256(seen.encode()).hexdigest()[:12]
    return FOLDER / f"{name}-base.jsa", FOLDER / f"{name}.jsa"


def _warm_up(spark: SparkSession, lake: Path) -> None:
    """Load what a run loads: rows from the client, joins and windows, Delta's appends, reads and rewrites."""
    import pyarrow as pa
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    table = str(lake / "warm_up" / os.urandom(4).hex())
    cells = pa.table(
        {"line": list(range(100)), "cells": [["110101", str(n), "2025-09-01"] for n in range(100)]}
    )
    rows = spark.createDataFrame(cells).select(
        F.col("line"),
        F.col("cells")[0].alias("district_code"),
        F.expr("try_cast(cells[1] as decimal(9,2))").alias("amount"),
        F.expr("try_to_date(cells[2])").alias("day"),
        F.sha2(F.concat_ws("/", "cells"), 256).alias("key"),
        F.expr("filter(array(if(line > 3, 'late', null)), rule -> rule is not null)").alias("rules"),
    )
    newest = Window.partitionBy("district_code").orderBy(F.desc("line"), "key")
    latest = rows.withColumn("place", F.row_number().over(newest)).where("place < 90").drop("place")
    known = spark.createDataFrame(pa.table({"district_code": ["110101"], "name": ["东城区"]}))
    joined = latest.join(F.broadcast(known), on="district_code", how="left")
    for number in (1, 2):
        write = joined.write.format("delta").mode("append")
        write.option("txnAppId", f"warm_up/{number}").option("txnVersion", 1).save(table)
    spark.sql(f"delete from delta.`{table}` where line < 10")
    read = spark.read.format("delta").load(table)
    read.groupBy("district_code").agg(F.count("*"), F.sum("amount"), F.max("day")).toArrow()
    read.join(rows, on="key", how="left_anti").toPandas()


if __name__ == "__main__":
    os.nice(19)
    make()
