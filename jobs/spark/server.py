"""One Spark Connect server for a site: started on loopback by its first user, ended with the last one.

`start` → `session` (any number, from any process) → `stop`. The server's record is `run/spark.json`; its log
lies in the restricted zone, for an error of Spark may quote a cell. A command is a user from `start` to
`stop`, a task for the length of its `session`: tasks of a command find its server, and scheduled tasks that
run side by side share one. `jobs.spark.guard` ends it also when its users were killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import psutil

from jobs.settings import Settings, UserError, writing
from jobs.spark import archive, guard, launch, record
from jobs.spark.java import Java, classpath, find_java
from jobs.spark.record import Engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Column expressions (`F.col`) are built against Connect also before the first session of a process.
os.environ.setdefault("SPARK_CONNECT_MODE_ENABLED", "1")

START_SECONDS = 180.0  # 5 s on idle cores, a minute on cores that seven others want
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05


def running(settings: Settings) -> Engine | None:
    """The server that answers for this site now, else null. Never starts or stops anything."""
    if settings.spark_url:
        return Engine(settings.spark_url) if record.answers(settings.spark_url) else None
    recorded = record.read(settings)
    return recorded if recorded and record.listens(recorded) else None


def start(settings: Settings, java_options: Sequence[str] = ()) -> Engine:
    """The running server of this site, or a new one. Returns when the server takes calls.

    This process uses it until `stop` or its own end. With EDULAKE_SPARK the given server is used and none is
    started. Raises UserError without Java or Delta's jars, if the given server does not answer, or if a new
    one does not come up.
    """
    if not settings.spark_url and settings.run not in _commands:
        _commands[settings.run] = _use(settings)
    try:
        engine = _start(settings, java_options, counts=False)
    except BaseException:
        stop(settings)
        raise
    if engine.restarts:
        # The count is one command's: an earlier command's restarts do not count here.
        engine = replace(engine, restarts=0)
        record.write(settings, engine)
    return engine


def log_file(settings: Settings) -> Path:
    """What the site's servers have written."""
    return settings.restricted / "logs" / "spark.log"


def stop(settings: Settings) -> None:
    """Stop this site's server and remove its leftovers, unless others use it. Harmless to repeat."""
    if settings.spark_url:
        return
    held = _commands.pop(settings.run) if settings.run in _commands else _use(settings)
    _leave(settings, held)


# By run folder: what this process holds from `start` to `stop`.
_commands: dict[Path, IO[str]] = {}


def _use(settings: Settings) -> IO[str]:
    """Be a user of the server from now on; waits while one without users is being ended."""
    file = guard.users_file(settings.run)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        users = file.open("a")
    fcntl.flock(users, fcntl.LOCK_SH)
    return users


def _leave(settings: Settings, users: IO[str]) -> None:
    """Be a user no more. The last one stops the server."""
    with users, _locked(settings):
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Granted at once where others use it, else as soon as its guard has ended it.
            fcntl.flock(users, fcntl.LOCK_SH)
        else:
            _stop_all(settings)


@contextmanager
def _used(settings: Settings) -> Iterator[None]:
    if settings.spark_url:
        yield
        return
    users = _use(settings)
    try:
        yield
    finally:
        _leave(settings, users)


@contextmanager
def session(settings: Settings, tag: str | None = None) -> Iterator[SparkSession]:
    """A session on the site's server, released at the end; a dead server is started again, once.

    `tag` names the piece of work (`<run_id>/<task>`). If an earlier attempt under the same tag was killed and
    still works on the server, that work is ended first. Raises UserError if the server died twice.
    """
    with _used(settings):
        engine = running(settings) or _start(settings)
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


@contextmanager
def on_demand(settings: Settings, tag: str | None = None) -> Iterator[Callable[[], SparkSession]]:
    """A function that opens the `session` when it is first called and returns the same one from then on: work
    that turns out to be small starts no server.
    """
    with ExitStack() as opened:
        yield cache(lambda: opened.enter_context(session(settings, tag)))


def interrupt_leftovers(settings: Settings, engine: Engine, tag: str) -> bool:
    """End what a killed client still has running under `tag`. Returns True if there was such a client.

    The server goes on with the work of a killed client. Opening the client's session by its noted id and
    releasing it cancels that work; a commit that was already under way may still succeed.
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


def _start(settings: Settings, java_options: Sequence[str] = (), *, counts: bool = True) -> Engine:
    """The running server, or a new one. With `counts`, raises UserError if the one before died, too, after it
    had been started in the place of another.
    """
    if engine := running(settings):
        return engine
    if settings.spark_url:
        raise UserError(
            f"no Spark Connect server answers at {record.without_token(settings.spark_url)}.",
            "Start it, or leave EDULAKE_SPARK out to have one started here.",
        )
    settings.prepare()
    with _locked(settings):
        # While we waited for the lock, another task may have started it: what lies here now tells, and one
        # death seen by two tasks is counted once.
        if engine := running(settings):
            return engine
        found = record.read(settings)
        # One that lives was still being started by a process that was killed: no death.
        deaths = 0 if found is None else found.restarts + (record.process_of(found) is None)
        if counts and deaths > 1:
            raise UserError(
                "the Spark server died twice in this run.",
                f"Most often the machine has too little memory. Its log is {log_file(settings)}; "
                "docs/runbooks/dead-engine.md has the steps.",
            )
        _stop_all(settings)
        return _launch(settings, deaths, java_options)


def _launch(settings: Settings, restarts: int, java_options: Sequence[str]) -> Engine:
    """Start a server; once more if its port was taken in between or Java cannot bear the archive."""
    java, jars = find_java(), classpath()
    log = log_file(settings)
    deadline = time.monotonic() + START_SECONDS
    with writing(log):
        log.parent.mkdir(exist_ok=True)
        if log.exists() and log.stat().st_size > 10_000_000:
            log.replace(log.with_suffix(".log.1"))
    is_archive_bad = False
    for _ in range(4):
        options = java_options or ([] if is_archive_bad else archive.java_options(java, jars))
        begin = log.stat().st_size if log.exists() else 0
        process, engine = _spawn(settings, java, jars, options)
        engine = replace(engine, restarts=restarts)
        with suppress(ProcessLookupError):  # ended already: seen below
            guard.tie(process.pid, settings.run)
        record.write(settings, engine)
        _until(lambda: process.poll() is not None or record.listens(engine), deadline)  # noqa: B023
        if process.poll() is None and record.listens(engine):
            if is_archive_bad:
                archive.discard(java, jars)
            return engine
        _kill(engine)
        if process.returncode is None:
            break
        if not _was_occupied(log, begin):
            if is_archive_bad or java_options or not options:
                break
            is_archive_bad = True
    record.path(settings).unlink(missing_ok=True)
    raise UserError(
        "the Spark server did not start.",
        f"The end of its log, {log}: {_last_lines(log)}",
    )


def _spawn(
    settings: Settings, java: Java, jars: str, java_options: Sequence[str]
) -> tuple[subprocess.Popen[bytes], Engine]:
    """Begin one server process on a free port, with a token of its own; it does not take calls yet."""
    port = _free_port()
    token = secrets.token_urlsafe(24)
    temporary = settings.run / "spark"
    with writing(temporary):
        (temporary / "tmp").mkdir(parents=True, exist_ok=True)
    log = log_file(settings)
    with writing(log), log.open("ab") as output:
        process = subprocess.Popen(
            launch.command(settings, java, jars, port, java_options),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=temporary,
            env=launch.environment(token),
            start_new_session=True,
        )
    engine = Engine(
        # The token as a plain header: `token=` makes credentials whose Python part gRPC's own threads
        # call, and a call while the interpreter ends aborts the process.
        url=f"sc://localhost:{port}/;user_id=edulake;authorization=Bearer%20{token}",
        pid=process.pid,
        started=psutil.Process(process.pid).create_time(),
    )
    return process, engine


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _was_occupied(log: Path, begin: int) -> bool:
    tail = _tail(log, begin)
    return "Address already in use" in tail or "Failed to bind" in tail


def _tail(log: Path, begin: int = 0) -> str:
    with log.open("rb") as content:
        content.seek(max(begin, log.stat().st_size - 20_000))
        return content.read().decode("utf-8", errors="replace")


def _last_lines(log: Path) -> str:
    lines = [line for line in _tail(log).splitlines() if line.strip() and not line.startswith("\tat ")]
    return " / ".join(lines[-3:]) or "(none)"


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


def _until(is_so: Callable[[], bool], deadline: float) -> bool:
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _stop_all(settings: Settings) -> None:
    """Stop the recorded server, and servers of this site without a record (killed just after their start)."""
    if recorded := record.read(settings):
        _kill(recorded)
    mark = f"-Dedulake.run={settings.run}"
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if mark in process.cmdline():
                _kill(Engine("", process.pid, process.create_time()))
    record.path(settings).unlink(missing_ok=True)
    shutil.rmtree(settings.run / "spark", ignore_errors=True)
    shutil.rmtree(settings.run / "sessions", ignore_errors=True)


def _kill(engine: Engine) -> None:
    """Ask, wait, then force; and end the Python workers in the server's process session with it."""
    process = record.process_of(engine)
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
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession as Session

    parameters = "" if "/;" in engine.url else "/"
    # Our own server is on this machine, wherever a proxy of the environment leads.
    options = [("grpc.enable_http_proxy", 0)] if engine.pid else []
    channels = DefaultChannelBuilder(f"{engine.url}{parameters};session_id={session_id}", options)
    spark = cast("SparkSession", Session.builder.channelBuilder(channels).create())
    # By default a client of a dead server keeps trying for ten minutes.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=5, max_backoff=2000)])
    return spark
