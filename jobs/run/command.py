"""`./edulake run`: input, engine, Airflow, one DAG run, summary. Without news it starts nothing."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from jobs import faults
from jobs.lake import deliveries, identity, runs, withdrawals
from jobs.publish import drafts, publication, release
from jobs.run import summary
from jobs.screen import Screen
from jobs.settings import Settings, UserError
from jobs.spark import make_archive, server

# Exit codes of `run`; an error that a person must put right ends with 1, a wrong call with 2.
ALL_WELL, FILES_FAILED, WAITS = 0, 3, 4


def run(settings: Settings, scale: float | None, seed: int | None, console: Screen) -> int:
    """Take all landed files into the lake, publish a release, and print what was done.

    `scale` and `seed` are of a synthetic city; where they are None, those of the landed one hold. Returns the
    exit code: WAITS while a person must approve the release; FILES_FAILED while files are left out of it
    because our code or this machine failed on them. Files that were held or refused are their senders' to
    mend. Raises UserError with the way out.
    """
    begun = time.monotonic()
    settings.prepare()
    identity.check(settings)
    for gap in settings.gaps:
        console.say(("note", "yellow"), f" {settings.site} brings {gap}")
    with faults.told(settings), runs.only_run(settings):
        stages: dict[str, float] = {}
        with _timed(stages, "input"):
            prepare_input(settings, scale, seed, console)
        if due := publication.publish_due(settings):
            console.say(f"release {due.number} is published: it was approved for this time.")
        if not _has_news(settings):
            if summary.waiting(settings, console):
                settings.remember()
                return WAITS
            current = release.current(settings)
            number = current.number if current else 0
            settings.remember()
            console.say(
                f"Nothing new: every landed file has a receipt, and release {number} shows them all. "
                f"({time.monotonic() - begun:.1f} s)"
            )
            summary.left_aside(settings, deliveries.survey(settings), console)
            code = _exit_code(settings, console)
            summary.next_steps(settings, console)
            return code
        _run_dag(settings, stages, console)
        settings.remember()
        stages["all"] = time.monotonic() - begun
        summary.finished(settings, stages, console)
        if settings.spark_url is None:
            make_archive.make_later()
        if runs.all_runs(settings)[-1].state == runs.WAITING:
            return WAITS
        return _exit_code(settings, console)


def _exit_code(settings: Settings, console: Screen) -> int:
    from jobs.ingest import failures

    left_out = len(failures.standing(settings))
    if not left_out:
        return ALL_WELL
    console.say(
        (f"{left_out} file{'s' * (left_out > 1)} not in the release", "red"),
        f": what failed is ours, not the sender's; exit code {FILES_FAILED}. "
        f"`{settings.command('status')}` names them.",
    )
    return FILES_FAILED


def _run_dag(settings: Settings, stages: dict[str, float], console: Screen) -> None:
    from jobs.run import airflow as orchestrate

    seed = identity.city_seed(settings) if settings.is_synthetic else None
    this = runs.open_run(settings, "command", seed)
    console.say(f"run {this.run_id} of {settings.site}: as of {this.as_of_date}, code {this.code_version}")
    state = runs.FAILED
    try:
        with _timed(stages, "start Spark and Airflow"), ThreadPoolExecutor(2) as pool:
            console.say("starting Spark and Airflow …")
            starting = pool.submit(server.start, settings)
            airflow = orchestrate.up(settings)
            starting.result()
        with _Progress(console) as progress:
            outcome = orchestrate.run_dag(settings, airflow, this.run_id, progress.show)
        for task in outcome.tasks:
            stages[task.group] = stages.get(task.group, 0.0) + (task.seconds or 0.0)
        if outcome.failure:
            faults.watch_disk(settings)
            raise UserError(
                f"run {this.run_id} failed in {outcome.failure.task_id}:\n{outcome.failure.message}",
                f"The release before it keeps serving. The log is {outcome.failure.log}. "
                "Mend the cause and run again: finished work is kept.",
            )
        state = runs.PUBLISHED
    finally:
        with _timed(stages, "stop Spark and Airflow"), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda stop: stop(settings), (orchestrate.down, server.stop)))
        if state == runs.FAILED:
            _note_failure(settings, this.run_id)


def _note_failure(settings: Settings, run_id: str) -> None:
    try:
        runs.finish(settings, run_id, runs.FAILED)
    except Exception as error:
        # On a full disk not even this can be written. Without its owner the run counts as interrupted.
        if faults.explained(settings, error) is None:
            raise


def _has_news(settings: Settings) -> bool:
    """Whether a file waits, a batch is unfinished, the last run did not come to its end (it was killed or it
    failed), a delivery was withdrawn, or code or settings changed since.
    """
    from jobs.ingest import failures, journal

    last = runs.all_runs(settings)[-1:]
    ended = runs.DONE | {runs.WAITING}
    if not last or last[0].state not in ended or last[0].code_version != runs.fingerprint(settings):
        return True
    current, draft = release.current(settings), drafts.waiting(settings)
    # The one of the last run, unless a repair has set that aside.
    if last[0].release_number not in {one.number for one in (current, draft) if one is not None}:
        return True
    if last[0].inputs.get(withdrawals.TABLE) != withdrawals.version(settings):
        return True
    if failures.due(settings):
        return True
    return bool(deliveries.pending(settings)) or any(journal.unfinished(settings, f) for f in settings.feeds)


def prepare_input(settings: Settings, scale: float | None, seed: int | None, console: Screen) -> None:
    """Let the site's input package write its files, or land its real files. What has landed already stays."""
    if settings.input:
        maker = importlib.import_module(f"{settings.input}.landing")
        maker.write_landing(settings, scale, seed, console)
    for given in settings.real_input:
        deliveries.land(
            settings,
            given.file,
            given.feed,
            given.sender,
            given.received,
        )


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    begun = time.monotonic()
    try:
        yield
    finally:
        stages[name] = stages.get(name, 0.0) + time.monotonic() - begun


class _Progress:
    """The DAG run as it goes: a live table on a terminal, else one line per finished task."""

    def __init__(self, console: Screen) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: set[str] = set()

    def __enter__(self) -> _Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, tasks: Sequence[summary.TaskLike]) -> None:
        if self._live:
            table = Table(
                *(Column(name, overflow="fold") for name in ("stage", "task", "state", "seconds")), box=None
            )
            for task in tasks:
                color = {"success": "green", "failed": "red", "running": "yellow"}.get(
                    task.state or "", "dim"
                )
                seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
                table.add_row(task.group, task.name, Text(task.state or "waiting", color), seconds)
            self._live.update(table)
            return
        for task in tasks:
            if task.state in {"success", "failed", "upstream_failed"} and task.task_id not in self._told:
                self._told.add(task.task_id)
                self._console.say(f"  {task.state:<8} {task.task_id} {task.seconds or 0:.1f} s")
