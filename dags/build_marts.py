"""The marts of the three platforms, for the schedule.

    assets decision_<service> AND clean_<feed> AND …  ->  build_marts  ->  asset marts, which carries run_id

Triggered by: an update of all decisions and of every feed's clean tables.
Run again: builds a fresh private file from the same pinned table versions. Started by hand it needs the
parameter `run_id`.
Called when it fails: the data engineer on duty (`owner`). Nothing is published, the old release serves on.
"""

from airflow.sdk import DAG

from dags import wiring
from jobs import settings

site = settings.load()

with DAG(
    dag_id="build_marts",
    description="Decisions and clean tables to marts",
    schedule=[wiring.decided(service) for service in site.services]
    + [wiring.cleaned(feed) for feed in site.feeds],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=wiring.DEFAULT_ARGS,
    params={"run_id": wiring.run_id_param(required=False)},
    user_defined_macros=wiring.MACROS,
    tags={"domain:all", "tier:1"},
    doc_md=__doc__,
):
    wiring.marts(wiring.CARRIED_RUN_ID, outlets=(wiring.MARTS,))
