"""What a person reads about a lake: the summary of a run, the state of the site."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from jobs import origin
from jobs.declare import reasons
from jobs.ingest import failures
from jobs.lake import deliveries, receipt_text, runs, tables, withdrawals
from jobs.publish import drafts, release
from jobs.screen import Screen
from jobs.settings import DamagedError, Settings, UserError

PORTAL_PORT = 8090
# What lies in landing by mistake may lie there a thousand times.
MOST_NAMED = 20


class TaskLike(Protocol):
    """A task as `jobs.run.airflow` reports it."""

    @property
    def task_id(self) -> str: ...
    @property
    def state(self) -> str | None: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def group(self) -> str: ...
    @property
    def name(self) -> str: ...


def finished(settings: Settings, stages: dict[str, float], console: Screen) -> None:
    """Print the summary of a run: files and rows by feed, rows by mart, seconds by stage, next commands."""
    run = runs.all_runs(settings)[-1]
    receipts = [r for r in receipt_text.receipts(settings) if r["run_id"] == run.run_id]
    feeds = []
    for feed in settings.feeds:
        own = [r for r in receipts if r["feed"] == feed]
        sums = [
            sum(r[c] for r in own) for c in ("line_count", "accepted_count", "flagged_count", "refused_count")
        ]
        held = sum(r["outcome"] in ("held", "refused") for r in own)
        feeds.append((feed, len(own), *[f"{n:,}" for n in sums], held))
    headings = ("feed", "files", "lines", "accepted", "flagged", "refused", "held files")
    console.table(headings, feeds, title="feeds of this run")
    current = release.current(settings)
    if waiting(settings, console):
        pass
    elif run.state == runs.UNCHANGED:
        console.say(f"Nothing to publish: release {run.release_number} shows the same already.")
    elif current:
        marts = sorted(current.manifest["files"]["full.duckdb"]["tables"].items())
        console.table(
            ("mart", "rows"),
            [(name, f"{rows:,}") for name, rows in marts],
            title=f"marts of release {current.number}",
        )
    timing = [(name, f"{seconds:.1f}") for name, seconds in stages.items()]
    console.table(("stage", "seconds"), timing, title="seconds per stage (groups run side by side)")
    _origin(settings, console)
    for row in receipts:
        if row["outcome"] in ("held", "refused"):
            console.say((row["outcome"], "yellow"), f" {_file_and_reasons(row, settings)}")
    _failed_files(settings, receipts, console)
    left_aside(settings, deliveries.survey(settings), console)
    next_steps(settings, console)


def waiting(settings: Settings, console: Screen) -> bool:
    """Print what is to be done about the draft; returns whether there is one."""
    draft = drafts.waiting(settings)
    if draft is None:
        return False
    number = str(draft.number)
    state = drafts.state(settings, draft.number)
    if state == drafts.REJECTED:
        console.say(
            ("已退回 rejected", "red"), f": the draft of release {number}; nothing new has come since."
        )
    elif state == drafts.SCHEDULED:
        at = drafts.publish_at(settings, draft.number)
        console.say(
            ("已批准，待发布 approved", "green"),
            f": release {number} goes out from {at:%Y-%m-%d %H:%M} UTC on.",
        )
    else:
        from jobs.publish import checklist

        worst = checklist.WORDS[checklist.state(draft.manifest["checklist"])]
        console.say(
            ("等待审批 waiting for approval", "yellow"),
            f": release {number} is a draft, its checklist is {worst.zh} {worst.en}. "
            "The release before it keeps serving.",
        )
    console.say(f"  {settings.command('release', 'check', number)}")
    console.say(f"  {settings.command('release', 'approve', number, '--by', '…')}")
    return True


def _origin(settings: Settings, console: Screen) -> None:
    if settings.is_synthetic:
        console.say((origin.LINE, "yellow"))


def next_steps(settings: Settings, console: Screen) -> None:
    """Print the next commands; the last line is the portal's."""
    mart = "fct_fitness_result" if "fitness" in settings.services else "fct_places_forecast"
    console.say(f"  {settings.command('sql', f'select count(*) from {mart}')}")
    for word, what in (
        ("status", "runs, release, deliveries held or refused"),
        ("airflow", "the DAG runs in Airflow's own page"),
        ("clean", "remove this lake"),
        ("serve", f"the portal, http://127.0.0.1:{PORTAL_PORT}"),
    ):
        console.say(f"  {settings.command(word)}   # {what}")


def _failed_files(settings: Settings, receipts: list[dict[str, Any]], console: Screen) -> None:
    """Name the files on which our own code failed, and where the tracebacks are."""
    failed = [row for row in receipts if row["outcome"] == "failed"]
    for row in failed:
        console.say(("failed", "red"), f" {row['receipt_id']} {_file_and_reasons(row, settings)}")
    if failed:
        again = len({row["receipt_id"] for row in failures.due(settings)} & {r["receipt_id"] for r in failed})
        console.say(
            f"{len(failed)} file{'s' * (len(failed) > 1)} failed here; no sender did anything wrong. "
            f"What happened stands in {failures.folder(settings)}. "
            f"The next run reads {again} of them again; the others wait for a change of the code "
            f"or for `{settings.command('feed', 'retry', failed[0]['receipt_id'])}`.",
        )


def left_aside(settings: Settings, landing: deliveries.Landing, console: Screen) -> None:
    """Name what lies in landing and no run takes, the first ones of many."""
    found = landing.left_aside
    if found:
        console.say((f"left aside in {settings.landing}: {len(found)}", "yellow"))
    for one in found[:MOST_NAMED]:
        why = reasons.sentence(one.reason, settings.language)
        console.say(f"  {one.place}: {why}")
    if len(found) > MOST_NAMED:
        console.say(f"  and {len(found) - MOST_NAMED} more")


def _file_and_reasons(receipt: dict[str, Any], settings: Settings) -> str:
    why = reasons.joined(receipt["reasons"], settings.language)
    return f"{receipt['delivery_id']}/{receipt['file_name'] or receipt['receipt_id']}: {why}"


def _release(settings: Settings) -> str:
    try:
        current = release.current(settings)
    except DamagedError as error:
        return f"release: damaged: {error.message} {error.way_out}"
    return f"release: {current.number} of run {current.run_id}" if current else "release: none yet"


def status(settings: Settings, console: Screen) -> None:
    """Print the state of a site's lake."""
    console.say((settings.title_zh, "bold"), f" {settings.title_en} ({settings.site}), {settings.home}")
    _origin(settings, console)
    if not settings.home.exists():
        raise UserError(f"there is no lake for {settings.site} yet.", settings.command("run"))
    console.say(_release(settings))
    waiting(settings, console)
    landing = deliveries.survey(settings)
    console.say(f"landed files that wait: {len(deliveries.pending(settings, landing.files))}")
    left_aside(settings, landing, console)
    last = runs.as_they_stand(settings)[-8:]
    console.table(
        ("run", "as of", "state", "trigger", "release"),
        [(run.run_id, run.as_of_date, run.state, run.trigger, run.release_number) for run in last],
        title="last runs",
    )
    gone = withdrawals.load(settings)
    receipts = receipt_text.receipts(settings)
    for row in receipts:
        row["outcome"] = "withdrawn" if row["delivery_id"] in gone else row["outcome"]
    outcomes = Counter((r["feed"], r["outcome"]) for r in receipts)
    kinds = ("accepted", "held", "refused", "repeated", "failed", "withdrawn")
    counts = [(feed, *(outcomes[feed, kind] for kind in kinds)) for feed in settings.feeds]
    console.table(("feed", *kinds), counts, title="files by outcome")
    for row in receipts:
        if row["outcome"] in ("held", "refused"):
            console.say(f"  {row['outcome']} {_file_and_reasons(row, settings)}")
    _failed_files(settings, receipts, console)
    failed = [c for c in tables.rows(settings, "ops__check") if not c["is_success"]]
    for check in failed[-20:]:
        console.say(f"  check failed in run {check['run_id']}: {check['table_name']} {check['check_name']}")
