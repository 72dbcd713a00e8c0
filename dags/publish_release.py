"""The release that portal and analysts read, for the schedule.

    asset marts  ->  publish_release  ->  asset release, which carries run_id
                     publish_release >> check_files

Where the site wants a person (`release: {approval: person}`): publish_release makes a draft >>
approve_release waits for the answer in Airflow's page >> publish_approved >> check_files.

Triggered by: an update of the marts, which has passed its tests and its audit.
Run again: a run that is published already is found by its `run_id`, and the pointer stays. Started by hand it
needs the parameter `run_id`.
Called when it fails: the data engineer on duty (`owner`), at once: readers keep the old release. Where only
`check_files` failed, the release is out, and lacks files on which this machine or our code failed.
"""

from airflow.sdk import DAG

from dags import wiring
from jobs import settings

needs_person = settings.load().release.approval == "person"

with DAG(
    dag_id="publish_release",
    description="Marts to a release folder, then the pointer CURRENT",
    schedule=[wiring.MARTS],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=wiring.DEFAULT_ARGS,
    params={"run_id": wiring.run_id_param(required=False)},
    user_defined_macros=wiring.MACROS,
    tags={"domain:all", "tier:1"},
    doc_md=__doc__,
):
    publish = wiring.approved_release if needs_person else wiring.release
    checked = wiring.files_checked(wiring.CARRIED_RUN_ID, after_skipped=needs_person)
    publish(wiring.CARRIED_RUN_ID, outlets=(wiring.RELEASE,)) >> checked
