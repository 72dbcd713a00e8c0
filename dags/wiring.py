"""The tasks and groups that every DAG here is made of, each written once; no DAG of its own.

A task calls one function of `jobs.run.tasks` and nothing else. Imports of the work are inside the tasks: this
file is read by the DAG processor and again by every task, and must stay cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec

from airflow.sdk import Asset, Param, task, task_group
from airflow.sdk.exceptions import AirflowFailException

from jobs.settings import FEEDS_OF_SERVICE, UserError

P = ParamSpec("P")
Counts = dict[str, Any]

# One engineer is called for every task: the work is one product, and a page that rings two people rings none.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 1,
    "retry_delay": timedelta(seconds=5),
}

RUN_ID_PATTERN = r"^\d{4}-\d{2}-\d{2}\.\d+$"


def feeds_of(service: str, feeds: tuple[str, ...]) -> tuple[str, ...]:
    """The feeds that `service` waits for, of those that are on at this site."""
    return tuple(feed for feed in feeds if feed in FEEDS_OF_SERVICE[service])


def run_id_param(*, required: bool) -> Param:
    """The parameter `run_id` of a DAG; where it is not required, null means "the one my assets carry"."""
    if required:
        return Param(type="string", pattern=RUN_ID_PATTERN, description="<as_of_date>.<n>, of ops__run")
    return Param(
        None, type=["null", "string"], pattern=RUN_ID_PATTERN, description="only when started by hand"
    )


# --- run_id over assets -------------------------------------------------------------------------------------


def cleaned(feed: str) -> Asset:
    """A feed was read through, with or without news. `run_id` is in the event's extra."""
    return Asset(name=f"clean_{feed}", uri=f"edulake://clean/{feed}", group="edulake")


def decided(service: str) -> Asset:
    """A service's decisions stand for a run. `run_id` is in the event's extra."""
    return Asset(name=f"decision_{service}", uri=f"edulake://decision/{service}", group="edulake")


MARTS = Asset(name="marts", uri="edulake://marts", group="edulake")
RELEASE = Asset(name="release", uri="edulake://release", group="edulake")


def carry_run_id(context: Mapping[str, Any], result: Any = None) -> None:
    """After a task: write its `run_id` into the event of each asset that it updates."""
    task_now = context["task"]
    for asset in task_now.outlets:
        context["outlet_events"][asset].extra["run_id"] = task_now.op_kwargs["run_id"]


def carried_run_id(params: Mapping[str, Any], triggering_asset_events: Mapping[Any, Any]) -> str:
    """The run of this DAG run: given by hand, else that of the newest asset event that started it.

    Raises ValueError when there is neither: a task must never make up a run.
    """
    if params.get("run_id"):
        return str(params["run_id"])
    events = [event for of_asset in triggering_asset_events.values() for event in of_asset]
    if not events:
        raise ValueError("no asset event started this DAG run, so it needs the parameter run_id")
    # A feed that was late by a day brings an older run with it; the newest event belongs to the open one.
    return str(max(events, key=lambda event: event.timestamp).extra["run_id"])


MACROS = {"carried_run_id": carried_run_id}
GIVEN_RUN_ID = "{{ params.run_id }}"
CARRIED_RUN_ID = "{{ carried_run_id(params, triggering_asset_events) }}"


# --- tasks --------------------------------------------------------------------------------------------------


def _stop_where_a_person_must_act(function: Callable[P, Any]) -> Callable[P, Any]:
    """Let a UserError fail the task at once: repeating it cannot help."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise AirflowFailException(str(error)) from error

    return wrapped


@task
@_stop_where_a_person_must_act
def open_run() -> str:
    """Open today's scheduled run, or join the one that is open, and hand on its `run_id`."""
    from jobs.run import tasks

    return tasks.open_scheduled_run()


@task
@_stop_where_a_person_must_act
def write_raw(run_id: str, feed: str) -> Counts:
    """Copy new deliveries of the feed, line by line, from landing to `raw_<feed>`. Again: nothing twice."""
    from jobs.run import tasks

    return tasks.write_raw(run_id, feed)


@task
@_stop_where_a_person_must_act
def clean_rows(run_id: str, feed: str) -> Counts:
    """Type, code, key and audit new lines; refused rows and receipts go to `ops__`. Again: nothing twice."""
    from jobs.run import tasks

    return tasks.clean_rows(run_id, feed)


@task
@_stop_where_a_person_must_act
def decide(run_id: str, service: str) -> Counts:
    """Compute `decision_<service>__*` from the clean tables as the run knows them."""
    from jobs.run import tasks

    return tasks.decide(run_id, service)


@task
@_stop_where_a_person_must_act
def build_marts(run_id: str) -> Counts:
    """Build and test every mart with dbt in a private file, then audit it. A failure stops the release."""
    from jobs.run import tasks

    return tasks.build_marts(run_id)


@task
@_stop_where_a_person_must_act
def publish_release(run_id: str) -> Counts:
    """Write the release folder and move the pointer CURRENT to it. Until then readers keep the old one."""
    from jobs.run import tasks

    return tasks.publish_release(run_id)


@task
@_stop_where_a_person_must_act
def publish_approved(run_id: str, said: Mapping[str, Any]) -> Counts:
    """Publish the draft that a person approved; `said` is the answer: who, and a note."""
    from dags.approval import told_by
    from jobs.run import tasks

    return tasks.publish_approved(run_id, *told_by(said))


@task
@_stop_where_a_person_must_act
def check_files(run_id: str) -> Counts:
    """Fail where files are left out of the release because we failed on them. The release serves on."""
    from jobs.run import tasks

    return tasks.check_files(run_id)


# --- one task or group, ready to be linked ------------------------------------------------------------------


def ingest(feed: str, run_id: Any, outlets: tuple[Asset, ...] = ()) -> Any:
    """The group `ingest_<feed>`: write_raw >> clean_rows."""

    @task_group(group_id=f"ingest_{feed}", tooltip=f"landing to clean, feed {feed}")
    def group() -> None:
        raw = write_raw(run_id=run_id, feed=feed)
        raw >> clean_rows.override(**_emits(outlets))(run_id=run_id, feed=feed)

    return group()


def decision(service: str, run_id: str, outlets: tuple[Asset, ...] = ()) -> Any:
    """The task `decide_<service>`."""
    return decide.override(task_id=f"decide_{service}", **_emits(outlets))(run_id=run_id, service=service)


def marts(run_id: str, outlets: tuple[Asset, ...] = ()) -> Any:
    """The task `build_marts`."""
    return build_marts.override(**_emits(outlets))(run_id=run_id)


def release(run_id: str, outlets: tuple[Asset, ...] = ()) -> Any:
    """The task `publish_release`."""
    return publish_release.override(**_emits(outlets))(run_id=run_id)


def approved_release(run_id: str, outlets: tuple[Asset, ...] = ()) -> Any:
    """publish_release >> approve_release >> publish_approved, where a person must approve; the last two are
    skipped where the release was there already. Returns the task after which the files are checked.
    """
    from dags.approval import NOTE, ApproveRelease

    asked = ApproveRelease(task_id="approve_release", params=NOTE, doc_md=ApproveRelease.__doc__)
    release(run_id) >> asked
    said: Any = asked.output
    return publish_approved.override(**_emits(outlets))(run_id=run_id, said=said)


def files_checked(run_id: str, *, after_skipped: bool = False) -> Any:
    """The task `check_files`; `after_skipped`: also where nothing had to be approved."""
    rule = {"trigger_rule": "none_failed"} if after_skipped else {}
    return check_files.override(**rule)(run_id=run_id)


def _emits(outlets: tuple[Asset, ...]) -> dict[str, Any]:
    return {"outlets": list(outlets), "post_execute": carry_run_id} if outlets else {}
