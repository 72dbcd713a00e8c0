"""Make Java's archive of loaded classes, beside everything else, at the lowest priority.

It takes about a minute of one core and 230 MB of disk, once per environment and Java. A making that is killed
leaves nothing that would be used.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from jobs import settings as site_settings
from jobs.spark import archive, server
from jobs.spark.java import GC, LOCALE, classpath, find_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DUMP_SECONDS = 600.0  # 20 s when nobody else wants the cores


def make_later() -> bool:
    """Begin to make the archive in the background, if it is missing. Returns True if that was begun."""
    java = find_java()
    if archive.java_options(java, classpath()):
        return False
    subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.spark.make_archive"],
        cwd=site_settings.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True


def make() -> bool:
    """Make the archive by a server that does once what a run does. Returns True if there is a new archive.

    Only one process makes it at a time; a second one returns False at once.
    """
    java, jars = find_java(), classpath()
    folder = archive.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if archive.java_options(java, jars):
            return False
        base, top = archive.files(java, jars)
        for old in folder.glob("*.jsa*"):
            old.unlink()
        # The packaged Java comes without a base archive, so each gets one; at once under its final name, to
        # which the second archive refers.
        dump_base = [str(java.executable), "-Xshare:dump", f"-XX:SharedArchiveFile={base}", *GC]
        environment = os.environ | LOCALE
        subprocess.run(dump_base, check=True, capture_output=True, env=environment)
        part = top.with_suffix(".part")
        own = site_settings.load("beijing", home=folder / "home")
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
        proof = [str(java.executable), "-Xshare:on", f"-XX:SharedArchiveFile={base}:{part}", *GC]
        proved = subprocess.run([*proof, "-cp", jars, "-version"], capture_output=True, env=environment)
        is_whole = proved.returncode == 0
        if is_whole:
            part.replace(top)
        part.unlink(missing_ok=True)
        return is_whole


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
    quoted = table.replace("`", "``")
    spark.sql(f"delete from delta.`{quoted}` where line < 10")
    read = spark.read.format("delta").load(table)
    read.groupBy("district_code").agg(F.count("*"), F.sum("amount"), F.max("day")).toArrow()
    read.join(rows, on="key", how="left_anti").toPandas()


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    os.nice(19)
    make()
