"""The whole lake in one DAG run, for `./edulake run`.

    ingest_<feed>: write_raw >> clean_rows   (each feed that is on)
        >> decide_<service>                  (each service that is on, after the feeds it needs)
            >> build_marts >> publish_release

Triggered by: the command line, with conf {"run_id": "<as_of_date>.<n>"}; it has no schedule of its own.
Run again: every task looks first at what is already there, so a second run writes nothing twice and a failed
one goes on where it stopped. A task with nothing to do succeeds and says so; none is skipped.
Called when it fails: the data engineer on duty (`owner`); an error of the input or the machine is printed
with its way out and is not tried again, anything else is tried a second time.
"""

from airflow.sdk import DAG

from dags import wiring
from jobs import settings

site = settings.load()

with DAG(
    dag_id="build_lake",
    description=f"{site.title_en}: every feed to one release",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    # The command line starts it; a paused DAG would leave it waiting for ever.
    is_paused_upon_creation=False,
    default_args=wiring.DEFAULT_ARGS,
    params={"run_id": wiring.run_id_param(required=True)},
    tags={"domain:all", "tier:1"},
    doc_md=__doc__,
):
    ingests = {feed: wiring.ingest(feed, wiring.GIVEN_RUN_ID) for feed in site.feeds}
    decisions = [wiring.decision(service, wiring.GIVEN_RUN_ID) for service in site.services]
    for service, decision in zip(site.services, decisions, strict=True):
        for feed in wiring.feeds_of(service, site.feeds):
            ingests[feed] >> decision
    marts = wiring.marts(wiring.GIVEN_RUN_ID)
    # Marts also show feeds that no decision waits for.
    [*ingests.values(), *decisions] >> marts >> wiring.release(wiring.GIVEN_RUN_ID)
