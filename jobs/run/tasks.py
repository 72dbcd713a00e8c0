"""The tasks of a run, which Airflow calls. Each can be repeated without harm, and runs without Airflow, too.

Settings come from the environment of the process (`EDULAKE_HOME`, `EDULAKE_SITE`). Each takes the `run_id`
that `jobs.lake.runs.open_run` made, and returns a small dict of counts. Airflow runs each in a process of its
own, so imports stand inside the tasks: a process pays only for what it uses.
"""

from __future__ import annotations

import importlib
import json
import uuid
from pathlib import Path
from typing import Any

from jobs import settings as site_settings
from jobs.files import replacing
from jobs.lake import identity, links, runs, spare, tables, window, withdrawals
from jobs.lake.runs import Run
from jobs.run.boundary import guarded
from jobs.settings import Settings, UserError
from jobs.spark import server

Counts = dict[str, Any]


@guarded
def open_scheduled_run() -> str:
    """The `run_id` that tasks of today's schedule share. A draft whose time has come is published first."""
    from jobs.publish import publication
    from jobs.run.airflow import processes

    settings = site_settings.load().prepare()
    publication.publish_due(settings)
    identity.check(settings)
    airflow = processes.running(settings)
    return runs.join_run(settings, "schedule", airflow.launcher if airflow else None).run_id


@guarded
def write_raw(run_id: str, feed: str) -> Counts:
    """Landing -> `raw_<feed>`; files on which earlier code failed, those that a withdrawal judges anew, and
    those whose sender has become known are read again.
    """
    from jobs.ingest import admission, failures, journal, raw

    settings, run = _context(run_id)
    failures.reopen_due(settings, feed)
    admission.look_again(settings, feed)
    journal.reopen_after_withdrawals(settings, feed)
    if not journal.has_work(settings, feed):
        return {"files": 0}
    return raw.write_raw(settings, run.run_id, feed)


@guarded
def clean_rows(run_id: str, feed: str) -> Counts:
    """`raw_<feed>` -> clean tables, refused rows, checks, receipts; then who of its pupils is one person."""
    from jobs.ingest import clean, journal

    settings, run = _context(run_id)
    counts: Counts = {"files": 0}
    if journal.has_work(settings, feed):
        with server.session(settings, f"{run_id}/clean_rows/{feed}") as spark:
            counts = clean.clean_rows(settings, spark, run.run_id, feed)
    if feed == links.FEED:
        # Before anything is decided, and without news too: a killed run may have left it undone.
        links.find_links(settings)
    return counts


@guarded
def decide(run_id: str, service: str) -> Counts:
    """Clean tables -> `decision_<service>__*`. Without a change of input or code the last decisions stand."""
    maker = importlib.import_module(f"jobs.decide.{service}.job")
    settings, run = _context(run_id)
    inputs = (*maker.INPUTS, withdrawals.TABLE)
    if _stands(settings, run, inputs, each_day=getattr(maker, "EACH_DAY", False)):
        return {"unchanged": 1}
    with server.on_demand(settings, f"{run_id}/decide/{service}") as spark:
        counts: Counts = maker.decide(settings, spark, run)
        return counts


@guarded
def build_marts(run_id: str) -> Counts:
    """Build, test and audit the marts from pinned table versions, unless the current release shows them.

    Checks cross-feed relations first, and that no line was lost. Raises CheckFailedError if a check that
    stops the release failed.
    """
    from jobs.ingest import balance, relations
    from jobs.judging import audit
    from jobs.publish import marts
    from jobs.publish.audit import audit_marts

    settings, run = _context(run_id)
    if standing := _standing_release(settings, run):
        _note_pins(settings, run_id, tables.pin(settings), standing)
        return {"unchanged": 1}
    related = relations.measure(settings, run)
    pins = tables.pin(settings)
    _note_pins(settings, run_id, pins, None)
    built = marts.build(settings, run, pins)
    checks = [*built.checks(), *audit_marts(built.file, run_id)]
    checks += [*related, balance.check(settings, run_id)]
    tables.append_rows(settings, "ops__check", checks, f"marts/{run_id}/{uuid.uuid4().hex}", run_id)
    if failed := audit.stopping(checks):
        details = [line for test in built.failed for line in test.details()]
        raise audit.CheckFailedError(run_id, failed, details)
    return {"marts": len(built.rows), "rows": sum(built.rows.values()), "checks": len(checks)}


@guarded
def publish_release(run_id: str) -> Counts:
    """Marts of the run -> a release folder, then the pointer CURRENT; the run is then published.

    Where the current release shows the same, it stays, and the run is unchanged. Where a person must approve
    it, the release is a draft, and the run waits.
    """
    from jobs.publish import marts, next_update, publication, published_models, release

    settings, run = _context(run_id)
    if run.state in runs.DONE:
        return {"release": run.release_number}
    note = json.loads(_pins_note(settings, run_id).read_text())
    pins = note["pins"]
    if note["standing"]:
        runs.finish(settings, run_id, runs.UNCHANGED, note["standing"], pins)
        return {"release": note["standing"], "unchanged": 1}
    before = release.pointed(settings)
    declared = published_models.read_models(marts.manifest(settings, run_id))
    published = publication.publish(
        settings,
        run_id,
        marts.build_file(settings, run_id),
        next_update.told(settings, declared, run.as_of_date),
        pins,
        as_of_date=run.as_of_date.isoformat(),
        known_at=run.known_at.isoformat(),
        code_version=run.code_version,
    )
    marts.remove_build(settings, run_id)
    if published.is_draft:
        runs.finish(settings, run_id, runs.WAITING, published.number, pins)
        spare.keep(settings)
        told = [
            f"- **{c['state']}** {c['title_zh']} {c['title_en']}: {c['measured']} {c['detail']}"
            for c in published.manifest["checklist"]
        ]
        return {"release": published.number, "waiting": 1, "checklist": "\n".join(told)}
    # A run that was killed may have left its draft, which this one then let out.
    is_new = published.run_id == run_id or published.number != before
    runs.finish(settings, run_id, runs.PUBLISHED if is_new else runs.UNCHANGED, published.number, pins)
    spare.keep(settings)
    return {"release": published.number} | ({} if is_new else {"unchanged": 1})


@guarded
def publish_approved(run_id: str, by: str, note: str) -> Counts:
    """The draft of the run -> a published release, approved by a person. Again: nothing."""
    from jobs.publish import publication

    settings, run = _context(run_id)
    if run.release_number is None:
        raise UserError(f"run {run_id} has made no release.", f"See `{settings.command('status')}`.")
    words = note or "在 Airflow 中批准 approved in Airflow"
    return {"release": publication.approve(settings, run.release_number, by, words).number}


@guarded
def reject_draft(number: int, by: str, note: str) -> Counts:
    """Note that a person rejected the draft; it stays to be looked at. Again: another line."""
    from jobs.publish import publication

    words = note or "在 Airflow 中退回 rejected in Airflow"
    return {"rejected": publication.reject(site_settings.load(), number, by, words).number}


@guarded
def check_files(run_id: str) -> Counts:
    """Raise UserError while files are left out of the release because our code or this machine failed."""
    from jobs.ingest import failures

    settings, _ = _context(run_id)
    if left_out := failures.standing(settings):
        raise UserError(
            f"{len(left_out)} files are not in the release, since we failed on them: "
            f"{', '.join(row['receipt_id'] for row in left_out[:5])}.",
            f"What happened stands in {failures.folder(settings)}. The next run takes again those that the "
            "machine stopped; the others wait for a change of the code or for "
            f"`{settings.command('feed', 'retry', left_out[0]['receipt_id'])}`.",
        )
    return {"failed": 0}


def _context(run_id: str) -> tuple[Settings, Run]:
    settings = site_settings.load()
    return settings, runs.get(settings, run_id)


def _pins_note(settings: Settings, run_id: str) -> Path:
    return settings.run / f"pins-{run_id}.json"


def _note_pins(settings: Settings, run_id: str, pins: dict[str, int], standing: int | None) -> None:
    """Note for the publication what the marts were built from, or which release shows them already."""
    note = {"pins": pins, "standing": standing}
    with replacing(_pins_note(settings, run_id)) as fresh:
        fresh.write_text(json.dumps(note, sort_keys=True))


def _standing_release(settings: Settings, run: Run) -> int | None:
    """The number of the current release, if it is whole and the marts of this run would be those it shows:
    nothing that they are made of has changed since.
    """
    from jobs.publish import mart_sources, publication, release

    current = release.current(settings)
    last = _last_done(settings)
    if current is None or last is None or last.release_number != current.number:
        return None
    if any(getattr(last, of) != getattr(run, of) for of in ("code_version", "as_of_date", "known_at")):
        return None
    now = tables.pin(settings)
    read = {*mart_sources.tables_behind(mart_sources.names()), *window.FACTS}
    if any(last.inputs.get(table) != now.get(table) for table in read):
        return None
    return current.number if publication.is_sound(current) else None


def _last_done(settings: Settings) -> Run | None:
    done = [run for run in runs.all_runs(settings) if run.state in runs.DONE | {runs.WAITING}]
    return done[-1] if done else None


def _stands(settings: Settings, run: Run, inputs: tuple[str, ...], *, each_day: bool = False) -> bool:
    """Whether the last decisions still stand. With `each_day`, a new day needs new ones."""
    last = _last_done(settings)
    if last is None or last.code_version != run.code_version:
        return False
    if each_day and last.as_of_date != run.as_of_date:
        return False
    now = tables.pin(settings)
    return all(last.inputs.get(table) == now.get(table) for table in inputs)
