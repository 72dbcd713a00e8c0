"""One DAG a feed, for the schedule: `ingest_<feed>`.

    open_run >> ingest_<feed>: write_raw >> clean_rows  -> asset clean_<feed>, which carries run_id

Triggered by: the clock, 02:00 of the site every day, when senders' hand-in of the day before is closed. Made
paused, because a lake built from the command line should not start working at night: unpausing the DAGs of
all feeds switches the schedule on, and starts the last slot at once.
Run again: joins the open run; deliveries that have a receipt are not read again. The asset is updated even
when nothing was new: decisions wait for all of their feeds, and a silent feed would hold them for ever.
Called when it fails: the data engineer on duty (`owner`). The other feeds go on, the old release serves on.
"""

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from dags import wiring
from jobs import settings

site = settings.load()

for feed in site.feeds:
    with DAG(
        dag_id=f"ingest_{feed}",
        description=f"Landing to clean: {feed}",
        schedule=CronTriggerTimetable("0 2 * * *", timezone=site.timezone),
        start_date=pendulum.datetime(2026, 1, 1, tz=site.timezone),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=True,
        default_args=wiring.DEFAULT_ARGS,
        tags={f"domain:{settings.DOMAIN_OF_FEED[feed]}", "tier:2"},
        doc_md=__doc__,
    ):
        wiring.ingest(feed, wiring.open_run(), outlets=(wiring.cleaned(feed),))
