"""A run of the lake: opened before anything starts, one row in `ops__run`, known to every commit by its
`run_id`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from jobs import clock, processes
from jobs.files import replacing
from jobs.lake import deliveries, tables, withdrawals
from jobs.settings import EXPECTATIONS, Settings, UserError, command_line, writing

TABLE = "ops__run"
RUNNING, PUBLISHED, FAILED, INTERRUPTED = "running", "published", "failed", "interrupted"
# It found what the current release shows, which therefore stays.
UNCHANGED = "unchanged"
# Its release is a draft that a person must approve.
WAITING = "waiting"
DONE = frozenset({PUBLISHED, UNCHANGED})


@dataclass(frozen=True)
class Run:
    """One row of `ops__run`. `known_at` ends the newest delivery day: what was recorded later does not
    count.
    """

    run_id: str
    site: str
    as_of_date: date
    known_at: datetime
    trigger: str
    code_version: str
    seed: int | None
    state: str
    release_number: int | None
    inputs: dict[str, int]


def fingerprint(settings: Settings) -> str:
    """Sixteen hex digits of the code, the declarations and the site's settings: equal means the same
    answers.
    """
    digest = hashlib.sha256()
    for folder in (settings.root / "jobs", settings.root / "dbt", EXPECTATIONS):
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".sql", ".yaml", ".yml", ".csv"} and "target" not in file.parts:
                digest.update(f"{folder.name}/{file.relative_to(folder)}".encode())
                digest.update(file.read_bytes())
    for file in settings.own_files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def open_run(settings: Settings, trigger: str = "command", seed: int | None = None) -> Run:
    """Begin a run for the newest delivery day in landing that stands; this process is its owner. Runs that
    were left open are marked interrupted.

    Raises UserError when nothing has been landed, and for a lake that an earlier version made.
    """
    newest = _newest_day(settings)
    with _alone(settings):
        return _open(settings, newest, trigger, seed, None)


def join_run(settings: Settings, trigger: str, owner: int | None = None) -> Run:
    """The open run of this trigger and day, else a new one: tasks on a schedule find themselves in the same
    run. `owner` is the process with whose end the run ends, this one by default.

    A run left open by an earlier day is not joined: it would not know of today's deliveries.
    """
    newest = _newest_day(settings)
    with _alone(settings):
        for run in all_runs(settings):
            if (run.state, run.trigger, run.as_of_date) == (RUNNING, trigger, newest):
                _note_owner(settings, run.run_id, owner)
                return run
        return _open(settings, newest, trigger, None, owner)


def _newest_day(settings: Settings) -> date:
    landing = deliveries.survey(settings)
    if not landing.files:
        aside = f" ({len(landing.left_aside)} left aside: see `{settings.command('status')}`)"
        aside *= bool(landing.left_aside)
        raise UserError(
            f"nothing has been landed for {settings.site}{aside}.",
            f"`{command_line('land', '--help')}` says how to hand files in; a site with an input of its own "
            f"writes it: `{settings.command('run')}`.",
        )
    days = ((file.delivery_id, file.received) for file in landing.files)
    newest = withdrawals.newest_standing(days, withdrawals.load(settings))
    assert newest is not None
    return newest


def _open(settings: Settings, newest: date, trigger: str, seed: int | None, owner: int | None) -> Run:
    tables.check_version(settings)
    for earlier in all_runs(settings):
        if earlier.state == RUNNING:
            finish(settings, earlier.run_id, INTERRUPTED)
    number = sum(run.as_of_date == newest for run in all_runs(settings)) + 1
    run = Run(
        run_id=f"{newest}.{number}",
        site=settings.site,
        as_of_date=newest,
        known_at=clock.end_of_day(newest, settings.timezone),
        trigger=trigger,
        code_version=fingerprint(settings),
        seed=seed,
        state=RUNNING,
        release_number=None,
        inputs={},
    )
    _note_owner(settings, run.run_id, owner)
    row = _row(run) | {"started_at": datetime.now(UTC)}
    tables.append_rows(settings, TABLE, [row], run.run_id, run.run_id)
    return run


@contextmanager
def only_run(settings: Settings) -> Iterator[None]:
    """Hold the site: one run of it at a time. Raises UserError with the process that holds it."""
    with writing(settings.run):
        settings.run.mkdir(parents=True, exist_ok=True)
        lock_file = (settings.run / "run.lock").open("a+")
    with lock_file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UserError(
                f"a run of {settings.site} is under way (process {lock.read().strip() or 'unknown'}).",
                "Wait for it, or end that process and call again: nothing is lost.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One process at a time opens or joins a run."""
    with (settings.run / "runs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _owner_note(settings: Settings) -> Path:
    return settings.run / "owner.json"


def _note_owner(settings: Settings, run_id: str, pid: int | None) -> None:
    with replacing(_owner_note(settings), mode=0o600) as fresh:
        fresh.write_text(json.dumps({"run_id": run_id, **processes.noted(pid)}), encoding="utf-8")


def _is_owned(settings: Settings, run: Run) -> bool:
    with suppress(OSError, ValueError):
        note = json.loads(_owner_note(settings).read_text(encoding="utf-8"))
        return note["run_id"] == run.run_id and processes.living(note) is not None
    return False


def as_they_stand(settings: Settings) -> list[Run]:
    """Every run, oldest first. One that is open though its owner has ended is interrupted: it could not say
    so itself.
    """
    return [
        replace(run, state=INTERRUPTED) if run.state == RUNNING and not _is_owned(settings, run) else run
        for run in all_runs(settings)
    ]


def get(settings: Settings, run_id: str) -> Run:
    """Raises UserError for a run that was never opened."""
    for run in all_runs(settings):
        if run.run_id == run_id:
            return run
    raise UserError(f"there is no run {run_id!r} at {settings.site}.", f"See `{settings.command('status')}`.")


def all_runs(settings: Settings) -> list[Run]:
    """Every run, oldest first."""
    found = []
    for row in tables.rows(settings, TABLE):
        inputs = json.loads(row["inputs"] or "{}")
        kept = {name: row[name] for name in Run.__dataclass_fields__ if name != "inputs"}
        found.append((row["started_at"], Run(inputs=inputs, **kept)))
    return [run for _, run in sorted(found, key=lambda pair: pair[0])]


def finish(
    settings: Settings,
    run_id: str,
    state: str,
    release_number: int | None = None,
    inputs: dict[str, int] | None = None,
) -> None:
    """Set the run's end. Doing it again is harmless."""
    table = DeltaTable(str(tables.path(settings, TABLE)))
    new: dict[str, Any] = {"state": state, "finished_at": datetime.now(UTC)}
    if release_number is not None:
        new["release_number"] = release_number
    if inputs is not None:
        new["inputs"] = json.dumps(inputs, sort_keys=True)
    table.update(predicate=f"run_id = '{run_id}'", new_values=new)


def _row(run: Run) -> dict[str, Any]:
    row = dict(vars(run))
    row["inputs"] = json.dumps(run.inputs)
    return row
