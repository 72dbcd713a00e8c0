"""One run by its tasks, in this process and without Airflow."""

from __future__ import annotations

from jobs.lake import runs
from jobs.run import tasks
from jobs.settings import Settings


def run_by_tasks(settings: Settings, trigger: str = "test", seed: int | None = None) -> None:
    """Take the files of landing to a release; the environment names the site."""
    run_id = runs.open_run(settings, trigger, seed=seed).run_id
    for feed in settings.feeds:
        tasks.write_raw(run_id, feed)
        tasks.clean_rows(run_id, feed)
    for service in settings.services:
        tasks.decide(run_id, service)
    tasks.build_marts(run_id)
    tasks.publish_release(run_id)
