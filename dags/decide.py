"""One DAG a decision service, for the schedule: `decide_<service>`.

    assets clean_<feed> AND …  ->  decide_<service>  ->  asset decision_<service>, which carries run_id

Triggered by: an update of the clean tables of every feed that the service needs (AND: with OR it would run
once a feed).
Run again: the vintage of a run is computed once; a second time it is found and counted. Started by hand it
needs the parameter `run_id`.
Called when it fails: the data engineer on duty (`owner`). The old release keeps serving.
"""

from airflow.sdk import DAG

from dags import wiring
from jobs import settings

site = settings.load()

for service in site.services:
    with DAG(
        dag_id=f"decide_{service}",
        description=f"Clean to decisions: {service}",
        schedule=[wiring.cleaned(feed) for feed in wiring.feeds_of(service, site.feeds)],
        catchup=False,
        max_active_runs=1,
        # It waits for assets, so it rests as long as the feeds' DAGs are paused: one switch is enough.
        is_paused_upon_creation=False,
        default_args=wiring.DEFAULT_ARGS,
        params={"run_id": wiring.run_id_param(required=False)},
        user_defined_macros=wiring.MACROS,
        tags={f"domain:{service}", "tier:2"},
        doc_md=__doc__,
    ):
        wiring.decision(service, wiring.CARRIED_RUN_ID, outlets=(wiring.decided(service),))
