"""The record of a site's Spark server (`run/spark.json`), and whether that server still runs and answers.

A killed command leaves its record behind. A record counts only while its process is alive, is the one that
was started (same start time), and itself listens on the port.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from jobs import processes
from jobs.files import replacing
from jobs.settings import Settings, writing


@dataclass(frozen=True)
class Engine:
    """A Spark server. `pid` and `started` are null for a server that is not ours (EDULAKE_SPARK).

    `restarts` counts how often this command's server died and was started again.
    """

    url: str
    pid: int | None = None
    started: float | None = None
    restarts: int = 0


def path(settings: Settings) -> Path:
    """The file that holds the record."""
    return settings.run / "spark.json"


def write(settings: Settings, engine: Engine) -> None:
    """Record `engine` as the site's server, for the owner's eyes only: the URL holds the token."""
    file = path(settings)
    with writing(file), replacing(file, mode=0o600) as fresh:
        fresh.write_text(json.dumps(asdict(engine)), encoding="utf-8")


def read(settings: Settings) -> Engine | None:
    """The recorded server, dead or alive; null without a record that can be read."""
    try:
        known: dict[str, Any] = json.loads(path(settings).read_text(encoding="utf-8"))
        return Engine(**known)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def process_of(engine: Engine) -> psutil.Process | None:
    """The process that was started; null if it ended, even if another process has its number now."""
    return processes.living({"pid": engine.pid, "started": engine.started})


def listens(engine: Engine) -> bool:
    """Whether the server's own process holds its port: another program may have taken it before."""
    # Finding the holder of a port is costly, and a start asks many times: first ask whether there is one.
    process = process_of(engine) if answers(engine.url) else None
    if process is None:
        return False
    port = port_of(engine.url)
    try:
        return any(
            held.status == psutil.CONN_LISTEN and held.laddr.port == port
            for held in process.net_connections("tcp")
        )
    except psutil.Error:
        return False


def answers(url: str) -> bool:
    """Whether anything accepts connections at the host and port of `url`."""
    host = re.match(r"sc://([^:/]+)", url)
    try:
        socket.create_connection((host.group(1) if host else "", port_of(url)), timeout=5).close()
    except OSError:
        return False
    return True


def port_of(url: str) -> int:
    """The port in a Spark Connect URL; 15002, the protocol's default, if it names none."""
    port = re.match(r"sc://[^:/]+:(\d+)", url)
    return int(port.group(1)) if port else 15002


def without_token(url: str) -> str:
    """The URL without its parameters, fit for a message."""
    return url.split("/;")[0]
