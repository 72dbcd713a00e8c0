"""The scheduled chain, once, under Airflow's own scheduler: only that shows asset links, forks and slots.

The site is `us`: two feeds of real input, so that decisions and marts really wait for more than one asset.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from jobs.lake import deliveries, runs
from jobs.publish import release
from jobs.run import airflow as orchestrate
from jobs.settings import Settings

CHAIN = ("ingest_enrollment", "ingest_place_demand", "decide_places", "build_marts", "publish_release")
LIMIT = 420.0


@pytest.mark.slow
def test_one_switch_leads_from_the_feeds_to_a_release_of_one_run(
    make_settings: Callable[..., Settings], engine_url: str
) -> None:
    settings = make_settings("us")
    for given in settings.real_input:
        deliveries.land(
            settings,
            given.file,
            given.feed,
            given.sender,
            given.received,
        )

    with orchestrate.started(settings) as airflow:
        # Consumers first: an asset event finds only DAGs that have been read.
        for dag in reversed(CHAIN):
            orchestrate.switch_on(settings, airflow, dag)
        found = wait_for_the_end(settings, airflow)

    # A DAG that waited for one asset instead of all would be here twice.
    assert Counter(dag for dag, _ in found) == Counter(CHAIN), found
    assert {state for _, state in found} == {"success"}, f"see {settings.logs}/airflow"
    published = release.current(settings)
    assert published is not None
    scheduled = [run for run in runs.all_runs(settings) if run.trigger == "schedule"]
    assert [run.run_id for run in scheduled] == [published.run_id], "the chain did not hand on one run_id"
    assert [run.state for run in scheduled] == [runs.PUBLISHED]


def wait_for_the_end(settings: Settings, airflow: orchestrate.Airflow) -> list[tuple[str, str]]:
    """The DAG runs once `publish_release` has ended and nothing is under way, or one has failed."""
    deadline = time.monotonic() + LIMIT
    found: list[tuple[str, str]] = []
    while time.monotonic() < deadline:
        found = orchestrate.dag_runs(settings, airflow)
        states = {state for _, state in found}
        if "failed" in states or ("publish_release" in dict(found) and states == {"success"}):
            return found
        time.sleep(1)
    raise AssertionError(f"not finished after {LIMIT:.0f} s: {found}")
