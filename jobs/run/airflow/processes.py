"""Start, find, join and end Airflow's processes of one site. They listen on loopback only.

They belong to the command that started them and end with it, even when it is killed; a second command that
finds them running uses them.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from jobs import faults
from jobs.processes import living
from jobs.run.airflow import home
from jobs.run.airflow.home import USER, password
from jobs.settings import Settings, UserError, writing

UI_PORT = 8080

# Seconds. Generous: they only end a wait for something that will never come.
START_LIMIT = 180.0
STOP_LIMIT = 12.0
# Lines at the end of a log in which an error is looked for: some are followed by words of farewell.
_LOOKED_AT = 30


@dataclass(frozen=True)
class Airflow:
    """A running Airflow. `is_ours` is false when another command started it, and will end it."""

    url: str
    port: int
    home: Path
    is_ours: bool
    launcher: int
    started_s: float = 0.0


# By launcher: the writing end of the pipe that is its standard input. The system closes it when this process
# ends, by whatever signal, and the launcher then ends Airflow.
_lifelines: dict[int, int] = {}


def up(settings: Settings, port: int | None = None) -> Airflow:
    """Start api-server, dag-processor and scheduler, and wait until the API answers; or join those that run.

    What a killed earlier command left running is ended first, and its unfinished `build_lake` run is failed.
    Raises UserError when `port` is taken or Airflow does not come up.
    """
    began = time.monotonic()
    home.prepare(settings)
    with _lock(settings):
        joined = running(settings)
        if joined:
            return joined
        _end_leftovers(settings)
        with _reserved(port) as chosen:
            home.write_config(settings, chosen)
            return _launch(settings, chosen, began)


def running(settings: Settings) -> Airflow | None:
    """The Airflow of this site that another living command started, or None."""
    note = _note(settings)
    is_living = note and all(_process(note, name) for name in ("owner", "launcher"))
    if not note or not is_living:
        return None
    port = int(note["port"])
    return Airflow(
        url=f"http://127.0.0.1:{port}",
        port=port,
        home=settings.airflow,
        is_ours=int(note["processes"]["owner"]["pid"]) == os.getpid(),
        launcher=int(note["processes"]["launcher"]["pid"]),
    )


def down(settings: Settings, airflow: Airflow | None = None) -> None:
    """End this site's Airflow processes, unless another living command started them. Harmless to repeat."""
    airflow = airflow or running(settings)
    if airflow and not airflow.is_ours:
        return
    if airflow and airflow.launcher in _lifelines:
        os.close(_lifelines.pop(airflow.launcher))
    note = _note(settings)
    launcher = _process(note, "launcher") if note else None
    if launcher:
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            launcher.terminate()
            launcher.wait(STOP_LIMIT)
    _end_leftovers(settings)


@contextmanager
def started(settings: Settings, port: int | None = None) -> Iterator[Airflow]:
    """`up` for the length of a block, `down` after it, whatever happened inside."""
    airflow = up(settings, port)
    try:
        yield airflow
    finally:
        down(settings, airflow)


def _launch(settings: Settings, port: int, began: float) -> Airflow:
    is_migrated = home.is_migrated(settings)
    command = [
        sys.executable,
        str(settings.root / "infra" / "airflow" / "components.py"),
        str(_note_path(settings)),
        str(settings.logs),
        str(port),
        *([] if is_migrated else ["--migrate"]),
    ]
    log = settings.logs / "airflow-launcher.log"
    reading, lifeline = os.pipe()
    with writing(log), log.open("wb") as output:
        launcher = subprocess.Popen(
            command,
            stdin=reading,
            stdout=output,
            stderr=output,
            cwd=settings.root,
            env=home.environment(settings),
            start_new_session=True,
        )
    os.close(reading)
    _lifelines[launcher.pid] = lifeline
    airflow = Airflow(
        url=f"http://127.0.0.1:{port}",
        port=port,
        home=settings.airflow,
        is_ours=True,
        launcher=launcher.pid,
    )
    try:
        _await_api(settings, airflow, launcher)
    except BaseException:
        down(settings, airflow)
        # Before it has written its note, `down` does not know it.
        launcher.kill()
        launcher.wait()
        raise
    if not is_migrated:
        home.note_migrated(settings)
    return replace(airflow, started_s=time.monotonic() - began)


def _await_api(settings: Settings, airflow: Airflow, launcher: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        faults.watch_disk(settings)
        if launcher.poll() is not None:
            raise broke(settings)
        with suppress(OSError), socket.create_connection(("127.0.0.1", airflow.port), timeout=1):
            return
        time.sleep(0.1)
    raise broke(settings)


def broke(settings: Settings, what: str = "Airflow did not start", because: str = "") -> UserError:
    """The error for processes that ended: `because`, and the last errors of the first log that has some."""
    ended = [line for line in last_lines(settings.logs / "airflow-launcher.log", 1) if " ended" in line]
    said = "".join(f": {words}" for words in (because, *ended) if words)
    for name in ("launcher", "database", "api-server", "scheduler", "dag-processor"):
        log = settings.logs / f"airflow-{name}.log"
        if errors := [line for line in last_lines(log, _LOOKED_AT) if "error" in line.lower()]:
            return UserError(
                f"{what}{said}; {name} said: {' / '.join(errors[-3:])}",
                f"The whole log: {log}. `{settings.command('doctor')}` looks at the machine.",
            )
    return UserError(
        f"{what}{said}.",
        f"Its logs are {settings.logs}/airflow-*.log. Run the command again: it goes on where this one "
        "stopped.",
    )


@contextmanager
def _lock(settings: Settings) -> Iterator[None]:
    """Two commands that start at once: the second waits, then joins."""
    with (settings.run / "airflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _reserved(port: int | None) -> Iterator[int]:
    """A port on loopback, by default a free one, that the system gives nobody else while the block lasts.

    Who asks for this very port still gets it, as long as nobody listens there: Airflow does, seconds later.
    Meanwhile Spark and others are given ports from the same few thousand.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise UserError(
                f"port {port} is taken by another program.", "Choose another one with `--port <number>`."
            ) from error
        yield int(probe.getsockname()[1])


def _note_path(settings: Settings) -> Path:
    return settings.run / "airflow.json"


def _note(settings: Settings) -> dict[str, Any] | None:
    path = _note_path(settings)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
    except ValueError:
        return None


def _process(note: Mapping[str, Any], name: str) -> psutil.Process | None:
    """The living process noted under `name`: the same id *and* the same start."""
    return living(note["processes"].get(name))


def _end_leftovers(settings: Settings) -> None:
    """End what is left of an earlier start, with all child processes, and remove its notes."""
    note = _note(settings)
    if note is None:
        return
    left: list[psutil.Process] = []
    for name in note["processes"]:
        process = _process(note, name) if name != "owner" else None
        if process:
            with suppress(psutil.NoSuchProcess):
                left += [process, *process.children(recursive=True)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    _note_path(settings).unlink(missing_ok=True)


def serve_ui(settings: Settings, port: int = UI_PORT, say: Callable[[str], None] = print) -> None:
    """Keep Airflow and its web page up until Ctrl-C; prints the address and the login.

    Raises UserError when the port is taken. When another command runs this site's Airflow already, says where
    and returns.
    """
    airflow = up(settings, port)
    say(f"Airflow of {settings.title_en}: {airflow.url}")
    say(f"user {USER}, password {password(settings)}")
    if not airflow.is_ours:
        say("It belongs to a command that is running, and ends with it.")
        return
    say("Ctrl-C ends it.")
    try:
        while running(settings):
            time.sleep(1)
        raise broke(settings, "Airflow ended by itself")
    except KeyboardInterrupt:
        say("Ending Airflow.")
    finally:
        down(settings, airflow)


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log that are not blank, at most `count`; none if there is no log."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-count:]
