"""What a person reads about a lake: the summary of a run, the state of the site."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from jobs import origin
from jobs.declare import reasons
from jobs.ingest import failures
from jobs.lake import deliveries, receipt_text, runs, tables, withdrawals
from jobs.publish import release
from jobs.settings import Settings, UserError

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


def finished(settings: Settings, stages: dict[str, float], console: Console) -> None:
    """Print the summary of a run: files and rows by feed, rows by mart, seconds by stage, next commands."""
    run = runs.all_runs(settings)[-1]
    receipts = [r for r in receipt_text.receipts(settings) if r["run_id"] == run.run_id]
    feeds = Table(
        "feed", "files", "lines", "accepted", "flagged", "refused", "held files", title="feeds of this run"
    )
    for feed in settings.feeds:
        own = [r for r in receipts if r["feed"] == feed]
        sums = [
            sum(r[c] for r in own) for c in ("line_count", "accepted_count", "flagged_count", "refused_count")
        ]
        held = sum(r["outcome"] in ("held", "refused") for r in own)
        feeds.add_row(feed, str(len(own)), *[f"{n:,}" for n in sums], str(held))
    console.print(feeds)
    current = release.current(settings)
    if run.state == runs.UNCHANGED:
        console.print(f"Nothing to publish: release {run.release_number} shows the same already.")
    elif current:
        marts = Table("mart", "rows", title=f"marts of release {current.number}")
        for name, entry in sorted(current.manifest["files"]["full.duckdb"]["tables"].items()):
            marts.add_row(name, f"{entry:,}")
        console.print(marts)
    timing = Table("stage", "seconds", title="seconds per stage (groups run side by side)")
    for name, seconds in stages.items():
        timing.add_row(name, f"{seconds:.1f}")
    console.print(timing)
    _origin(settings, console)
    for row in receipts:
        if row["outcome"] in ("held", "refused"):
            console.print(f"[yellow]{row['outcome']}[/] {_file_and_reasons(row, settings)}")
    _failed_files(settings, receipts, console)
    left_aside(settings, deliveries.survey(settings), console)
    next_steps(settings, console)


def _origin(settings: Settings, console: Console) -> None:
    if settings.is_synthetic:
        console.print(origin.LINE, style="yellow", soft_wrap=True)


def next_steps(settings: Settings, console: Console) -> None:
    """Print the next commands; the last line is the portal's."""
    if "fitness" in settings.services:
        console.print('  ./edulake sql "select count(*) from fct_fitness_result"')
    else:
        console.print('  ./edulake sql "select count(*) from fct_places_forecast"')
    console.print("  ./edulake status      runs, release, deliveries held or refused")
    console.print("  ./edulake airflow     the DAG runs in Airflow's own page")
    console.print("  ./edulake clean       remove this lake")
    console.print(f"  ./edulake serve       the portal, http://127.0.0.1:{PORTAL_PORT}")


def _failed_files(settings: Settings, receipts: list[dict[str, Any]], console: Console) -> None:
    """Name the files on which our own code failed, and where the tracebacks are."""
    failed = [row for row in receipts if row["outcome"] == "failed"]
    for row in failed:
        console.print(
            f"[red]failed[/] {row['receipt_id']} {_file_and_reasons(row, settings)}", soft_wrap=True
        )
    if failed:
        again = len({row["receipt_id"] for row in failures.due(settings)} & {r["receipt_id"] for r in failed})
        console.print(
            f"{len(failed)} file{'s' * (len(failed) > 1)} failed here; no sender did anything wrong. "
            f"What happened stands in {failures.folder(settings)}. "
            f"The next run reads {again} of them again; the others wait for a change of the code "
            "or for `./edulake feed retry <receipt>`.",
            soft_wrap=True,
        )


def left_aside(settings: Settings, landing: deliveries.Landing, console: Console) -> None:
    """Name what lies in landing and no run takes, the first ones of many."""
    found = landing.left_aside
    if found:
        console.print(f"left aside in {settings.landing}: {len(found)}", style="yellow", soft_wrap=True)
    for one in found[:MOST_NAMED]:
        why = reasons.sentence(one.reason, settings.language)
        console.print(f"  {one.place}: {why}", markup=False, soft_wrap=True)
    if len(found) > MOST_NAMED:
        console.print(f"  and {len(found) - MOST_NAMED} more")


def _file_and_reasons(receipt: dict[str, Any], settings: Settings) -> str:
    why = reasons.joined(receipt["reasons"], settings.language)
    return f"{receipt['delivery_id']}/{receipt['file_name'] or receipt['receipt_id']}: {why}"


def status(settings: Settings, console: Console) -> None:
    """Print the state of a site's lake."""
    console.print(
        f"[bold]{settings.title_zh}[/] {settings.title_en} ({settings.site}), {settings.home}", soft_wrap=True
    )
    _origin(settings, console)
    if not settings.home.exists():
        raise UserError(f"there is no lake for {settings.site} yet.", f"./edulake run --site {settings.site}")
    current = release.current(settings)
    console.print(f"release: {current.number} of run {current.run_id}" if current else "release: none yet")
    landing = deliveries.survey(settings)
    console.print(f"landed files that wait: {len(deliveries.pending(settings, landing.files))}")
    left_aside(settings, landing, console)
    table = Table("run", "as of", "state", "trigger", "release", title="last runs")
    for run in runs.as_they_stand(settings)[-8:]:
        table.add_row(run.run_id, str(run.as_of_date), run.state, run.trigger, str(run.release_number or ""))
    console.print(table)
    gone = withdrawals.load(settings)
    receipts = receipt_text.receipts(settings)
    for row in receipts:
        row["outcome"] = "withdrawn" if row["delivery_id"] in gone else row["outcome"]
    outcomes = Counter((r["feed"], r["outcome"]) for r in receipts)
    kinds = ("accepted", "held", "refused", "repeated", "failed", "withdrawn")
    table = Table("feed", *kinds, title="files by outcome")
    for feed in settings.feeds:
        table.add_row(feed, *[str(outcomes[feed, kind]) for kind in kinds])
    console.print(table)
    for row in receipts:
        if row["outcome"] in ("held", "refused"):
            console.print(
                f"  {row['outcome']} {_file_and_reasons(row, settings)}",
                soft_wrap=True,
            )
    _failed_files(settings, receipts, console)
    failed = [c for c in tables.rows(settings, "ops__check") if not c["is_success"]]
    for check in failed[-20:]:
        console.print(
            f"  check failed in run {check['run_id']}: {check['table_name']} {check['check_name']}",
            soft_wrap=True,
        )
