"""Check this machine: what was found, what is missing, and what it is needed for. Starts nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from jobs.lake import identity, runs
from jobs.run import airflow
from jobs.screen import Screen
from jobs.settings import LEAST_FREE_BYTES, ROOT, Settings, UserError, unknown_variables
from jobs.spark import jars, server
from jobs.spark.java import find_java

GB = 1024**3
LEAST_MEMORY_BYTES = 6 * GB  # what all processes of a run take together at their peak

State = Literal["ok", "note", "missing"]

# Tools that only a part of the work needs; the lake runs without every one of them.
OPTIONAL_TOOLS = {
    ("chromium", "chromium-browser"): "opening the portal's page in tests",
    ("node",): "building the portal's page; the built one is in the repository",
    ("Rscript",): "comparing forecasts and alerts with R's packages",
    ("psql",): "PostgreSQL: Airflow's database and BI tools in a deployment",
}


@dataclass(frozen=True)
class Check:
    """One check: `missing` means that the lake cannot run; `note` is worth knowing."""

    name: str
    state: State
    found: str
    way_out: str = ""


def report(settings: Settings) -> list[Check]:
    """All checks, in the order in which a first run needs them. One that fails does not stop the others."""
    home = _home(settings)
    return [
        _python(),
        _lock(),
        _java(),
        _jars(),
        home,
        _environment(),
        *_site(settings),
        *([_key(settings)] if home.state == "ok" else []),
        _disk(settings),
        _memory(),
        _port("portal's port", 8090),
        _port("Airflow's port", airflow.UI_PORT),
        *([_servers(settings), _killed_runs(settings)] if home.state == "ok" else []),
        *(_tool(names, purpose) for names, purpose in OPTIONAL_TOOLS.items()),
    ]


def show(settings: Settings, console: Screen) -> bool:
    """Print the report as a table. Returns True if nothing that the lake needs is missing."""
    checks = report(settings)
    console.table(
        ("state", "what", "found, and what to do"),
        [(check.state, check.name, f"{check.found}\n{check.way_out}".strip()) for check in checks],
        title=f"edulake on this machine, site {settings.site}",
        breakable=("found, and what to do",),
    )
    return all(check.state != "missing" for check in checks)


def _python() -> Check:
    found = f"{platform.python_version()} in {sys.prefix}"
    if Path(sys.prefix) == ROOT / ".venv":
        return Check("Python", "ok", found)
    return Check("Python", "note", found, "This is not the checkout's own environment: use `./edulake`.")


def _lock() -> Check:
    uv = Path(sys.prefix) / "bin" / "uv"
    if not uv.is_file():
        return Check("uv and lock", "missing", "no uv in the environment", "Call `./edulake` with a network.")
    command = [str(uv), "sync", "--frozen", "--inexact", "--check", "--offline", "--no-install-project"]
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": sys.prefix}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    found = f"uv {importlib.metadata.version('uv')}"
    if done.returncode == 0:
        return Check("uv and lock", "ok", f"{found}; every package as in uv.lock")
    words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    differs = "; ".join(words[:3])
    return Check("uv and lock", "note", f"{found}; {differs}", "Run `uv sync --frozen`.")


def _java() -> Check:
    try:
        java = find_java()
    except UserError as error:
        return Check("Java", "missing", error.message, error.way_out)
    return Check("Java", "ok", f"{java.version}, {java.found}: {java.executable}")


def _jars() -> Check:
    try:
        found = jars.check()
    except UserError as error:
        return Check("Delta's jars", "missing", error.message, error.way_out)
    return Check("Delta's jars", "ok", f"{len(found)} with the right checksum in {jars.FOLDER}")


def _home(settings: Settings) -> Check:
    try:
        settings.prepare()
    except UserError as error:
        return Check("home", "missing", error.message, error.way_out)
    return Check("home", "ok", str(settings.home))


def _environment() -> Check:
    if unknown := unknown_variables():
        return Check("environment", "note", "; ".join(unknown), "Correct the name, or unset the variable.")
    return Check("environment", "ok", "every EDULAKE_ variable is one that is read")


def _site(settings: Settings) -> list[Check]:
    """What the site brings of its own, and what stands in for the rest."""
    way_out = f"Name a file in {settings.file}; infra/sites/beijing.yaml is an example."
    gaps = [Check("site's own data", "note", gap, way_out) for gap in settings.gaps]
    return gaps or [Check("site's own data", "ok", f"all that its services ask for, {settings.file}")]


def _key(settings: Settings) -> Check:
    try:
        identity.check(settings)
    except UserError as error:
        return Check("persons' key", "missing", error.message, error.way_out)
    why = "derived from the seed" if settings.is_synthetic else "not needed"
    if settings.holds_persons and not settings.is_synthetic:
        why = f"in the file {os.environ['EDULAKE_HMAC_KEY_FILE']}"
    return Check("persons' key", "ok", why)


def _disk(settings: Settings) -> Check:
    place = next((p for p in (settings.home, *settings.home.parents) if p.exists()), ROOT)
    free = shutil.disk_usage(place).free
    found = f"{free / GB:.1f} GB free at {place}"
    if free < 2 * LEAST_FREE_BYTES:
        return Check("disk", "note", found, "Free some space, or set EDULAKE_HOME to another disk.")
    return Check("disk", "ok", found)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB available, {os.cpu_count()} cores"
    if memory.available < LEAST_MEMORY_BYTES:
        need = f"A run takes up to {LEAST_MEMORY_BYTES / GB:.0f} GB: end other programs first."
        return Check("memory", "note", found, need)
    return Check("memory", "ok", found)


def _port(name: str, port: int) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Check(name, "note", f"{port}: {error.strerror}", "Give another with --port.")
    return Check(name, "ok", f"{port} is free on loopback")


def _servers(settings: Settings) -> Check:
    living: dict[str, Callable[[Settings], object]] = {
        "Spark": server.running,
        "Airflow": airflow.running,
    }
    found = [name for name, running in living.items() if running(settings)]
    if not found:
        return Check("running servers", "ok", "none")
    return Check(
        "running servers",
        "note",
        " and ".join(found),
        "Fine while a command runs; else the next run uses or ends them.",
    )


def _killed_runs(settings: Settings) -> Check:
    unfinished = [run.run_id for run in runs.all_runs(settings) if run.state == runs.RUNNING]
    batches = sorted(file.stem for file in (settings.restricted / "batches").glob("*/*.json"))
    if not unfinished and not batches:
        return Check("earlier runs", "ok", "none was left unfinished")
    found = "; ".join(
        f"{what}: {', '.join(names[:5])}"
        for what, names in (("runs", unfinished), ("batches", batches))
        if names
    )
    return Check(
        "earlier runs", "note", f"unfinished {found}", "A run finishes them first; nothing is written twice."
    )


def _tool(names: tuple[str, ...], purpose: str) -> Check:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found:
        return Check(names[0], "ok", f"{found} (for {purpose})")
    return Check(names[0], "note", "absent", f"Only needed for {purpose}.")
