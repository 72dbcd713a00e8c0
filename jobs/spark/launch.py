"""How the Spark Connect server is launched: its settings, its command line, its environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from jobs.processes import CORES
from jobs.settings import ROOT, Settings
from jobs.spark.java import GC, LOCALE, SPARK_HOME, Java

CONFIG: Mapping[str, str] = {
    "spark.master": f"local[{CORES}]",
    "spark.app.name": "edulake",
    "spark.log.level": "WARN",
    # Loopback only, and not for every user of the machine: calls carry a token, Spark's own ports a secret.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.authenticate": "true",
    # Hadoop sets modes by its own mask, whatever that of the process is.
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Delta
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    # Delta reads a table's log with 50 tasks, which is slow for many small tables.
    "spark.databricks.delta.snapshotPartitions": "2",
    # DuckDB reads the files of a snapshot as they are: rows marked as deleted beside them would come back.
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    # Instants: the default INT96 reads back without a time zone in DuckDB.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "UTC",
    # Spark 4 refuses GB18030 unless told.
    "spark.sql.legacy.javaCharsets": "true",
    # Small data on few cores
    "spark.default.parallelism": str(CORES),
    "spark.sql.shuffle.partitions": str(2 * CORES),
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(CORES),
    # By default a file below four megabytes is one task: a batch of raw lines would keep one core busy.
    "spark.sql.files.openCostInBytes": "262144",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Errors come to Python without a page of Java frames; those stand in the log.
    "spark.sql.connect.serverStacktrace.enabled": "false",
}

# Java's second compiler costs a small lake more than it gives: a start, a write and a merge took 36 s of CPU
# with it and 18 s without. Warm aggregates are 2.5 times faster with it, which pays from millions of rows on.
LARGE_LANDING_BYTES = 200 * 1024**2

# What Spark opens for itself; `jdk.incubator.vector` is left out, since the packaged Java has none.
_OPEN = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)


def command(
    settings: Settings, java: Java, classpath: str, port: int, java_options: Sequence[str]
) -> list[str]:
    """The command line of a server on `port`, with all of CONFIG; the token is not on it."""
    properties = {
        **CONFIG,
        "spark.connect.grpc.binding.port": str(port),
        # From the server's own folder, in which it starts: a comma would part two folders, and Spark fills in
        # variables.
        "spark.local.dir": "tmp",
        "spark.sql.warehouse.dir": "warehouse",
        "java.io.tmpdir": str(settings.run / "spark" / "tmp"),
        "user.timezone": "UTC",
        "io.netty.tryReflectionSetAccessible": "true",
        "edulake.run": str(settings.run),
    }
    return [
        str(java.executable),
        "-Xmx3g",
        "-Xss4m",  # a clean plan has an expression a rule, and Spark walks them by recursion
        *GC,
        *([] if is_large(settings) else ["-XX:TieredStopAtLevel=1"]),
        "-XX:+ExitOnOutOfMemoryError",  # a dead server is started again; one without memory only hangs
        "-XX:-UsePerfData",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPEN),
        *(f"-D{key}={value}" for key, value in properties.items()),
        *java_options,
        "-cp",
        classpath,
        "org.apache.spark.sql.connect.service.SparkConnectServer",
    ]


def is_large(settings: Settings) -> bool:
    """Whether the landing has so many bytes that Java's second compiler pays."""
    return sum(file.lstat().st_size for file in settings.landing.rglob("*")) > LARGE_LANDING_BYTES


def environment(token: str) -> dict[str, str]:
    """Our environment without another Spark's settings; the server's Python workers find our modules."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SPARK_", "HADOOP_", "PYSPARK_")) and key != "PYTHONHOME"
    }
    return kept | {
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",  # a machine without network cannot resolve its own name
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "TZ": "UTC",
        **LOCALE,
    }
