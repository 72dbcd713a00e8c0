"""Remove a site: its lake, releases and landed files, while nothing of it is at work."""

from __future__ import annotations

import shutil
from pathlib import Path

from jobs.lake import runs
from jobs.run import airflow
from jobs.settings import Settings, UserError, writing
from jobs.spark import server


def folders(settings: Settings) -> list[Path]:
    """The site's folders that are there: its home, and its tables where EDULAKE_STORAGE keeps them apart."""
    apart = [] if settings.lake.is_relative_to(settings.home) else [settings.lake]
    return [folder for folder in (*apart, settings.home) if folder.exists()]


def check(settings: Settings) -> None:
    """Raises UserError while a run, or an Airflow that another command started, is at work."""
    with runs.only_run(settings):
        _no_airflow_of_another(settings)


def remove(settings: Settings) -> None:
    """Remove the site's folders and end what an earlier command left running.

    Raises UserError as `check`, and where a folder cannot be removed.
    """
    # Nobody can begin a run meanwhile: the lock goes with the folder that it lies in.
    with runs.only_run(settings):
        _no_airflow_of_another(settings)
        airflow.down(settings)
        server.stop(settings)
        for folder in folders(settings):
            with writing(folder):
                shutil.rmtree(folder)


def _no_airflow_of_another(settings: Settings) -> None:
    found = airflow.running(settings)
    if found and not found.is_ours:
        raise UserError(
            f"Airflow of {settings.site} is at work at {found.url} (process {found.launcher}).",
            "End the command that started it, and call again.",
        )
