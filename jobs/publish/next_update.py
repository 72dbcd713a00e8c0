"""When each mart shows newer data at the latest: the next day on which a dataset behind it is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from jobs import declare
from jobs.declare import reporting
from jobs.publish import mart_sources
from jobs.publish.published_models import Model
from jobs.settings import FEEDS_OF_SERVICE, Settings

# Every dataset of the calendar is due once a year or oftener.
_AHEAD = timedelta(days=800)


def told(settings: Settings, models: Mapping[str, Model], as_of: date) -> dict[str, Model]:
    """The models with `next_update`; those stay without that no dataset of the site's calendar reaches."""
    due = _next_due(settings, as_of)
    texts = mart_sources.texts()
    found = {}
    for name, model in models.items():
        datasets = _datasets(mart_sources.tables_behind([name], texts)) if name in texts else set()
        days = [due[dataset] for dataset in datasets & due.keys()]
        found[name] = replace(model, next_update=min(days).isoformat() if days else None)
    return found


def _datasets(tables: set[str]) -> set[str]:
    """The datasets that tables hold; of a service's decisions, those of all feeds that it reads."""
    decided = {
        table.removeprefix("decision_").split("__")[0] for table in tables if table.startswith("decision_")
    }
    feeds = {feed for service in decided for feed in FEEDS_OF_SERVICE[service]}
    return {
        contract.dataset
        for contract in declare.load().values()
        if contract.feed in feeds or {contract.table, contract.general_table} & tables
    }


def _next_due(settings: Settings, as_of: date) -> dict[str, date]:
    """Dataset -> the next day after `as_of` on which one of its senders owes it."""
    owed = reporting.load(settings.jurisdictions)
    found: dict[str, date] = {}
    for period in reporting.periods(owed, reporting.days_of(settings.calendar), as_of + _AHEAD):
        if period.due > as_of:
            found.setdefault(period.dataset, period.due)
    return found
