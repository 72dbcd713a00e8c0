"""Every site's DAGs are all there, readable, linked as house.md says, and call the pipeline that exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from jobs.settings import UserError

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

COMMON = {"build_lake", "build_marts", "publish_release"}
DAGS = {
    "beijing": COMMON
    | {
        "ingest_enrollment",
        "ingest_physical_fitness",
        "ingest_campus_safety",
        "ingest_place_demand",
        "ingest_district_statistics",
        "ingest_resources",
        "ingest_portal",
        "decide_fitness",
        "decide_places",
        "decide_safety",
        "decide_evaluation",
    },
    "nyc": COMMON | {"ingest_enrollment", "decide_places"},
    "us": COMMON | {"ingest_enrollment", "ingest_place_demand", "decide_places"},
}
# house.md, "DAGs": what each decision waits for, where all feeds are on.
WAITS_FOR = {
    "decide_fitness": {"enrollment", "physical_fitness"},
    "decide_places": {"enrollment", "place_demand"},
    "decide_safety": {"enrollment", "campus_safety", "district_statistics"},
    "decide_evaluation": {"district_statistics", "enrollment", "resources", "campus_safety"},
}
VERBS = {"open", "write", "clean", "decide", "build", "publish", "check"}

ReadDags = Callable[[str], "DagBag"]


@pytest.fixture(params=sorted(DAGS))
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def all_tasks(bag: DagBag) -> Iterator[Any]:
    for dag in bag.dags.values():
        yield from dag.tasks


def feeds_of(site: str) -> set[str]:
    return {dag.removeprefix("ingest_") for dag in DAGS[site] if dag.startswith("ingest_")}


def test_every_dag_of_the_site_is_found_and_readable(read_dags: ReadDags, site: str) -> None:
    bag = read_dags(site)
    assert bag.import_errors == {}
    assert len(bag.dags) == {"beijing": 14, "nyc": 5, "us": 6}[site]
    assert set(bag.dags) == DAGS[site]


def test_every_dag_can_be_kept_in_the_database(read_dags: ReadDags, site: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in read_dags(site).dags.values():
        kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert set(kept.task_dict) == set(dag.task_dict), dag.dag_id


def test_every_dag_says_whose_it_is_and_what_it_does(read_dags: ReadDags, site: str) -> None:
    for dag in read_dags(site).dags.values():
        assert dag.owner == "data-engineering", dag.dag_id
        for prefix in ("domain:", "tier:"):
            assert len([tag for tag in dag.tags if tag.startswith(prefix)]) == 1, (dag.dag_id, prefix)
        for part in ("Triggered by:", "Run again:", "Called when it fails:", ">>|->"):
            assert re.search(part, dag.doc_md or ""), f"the docstring of {dag.dag_id} does not say `{part}`"
        assert dag.max_active_runs == 1, dag.dag_id
        assert not dag.catchup, dag.dag_id


def test_every_task_repeats_once_soon_and_is_documented(read_dags: ReadDags, site: str) -> None:
    tasks = list(all_tasks(read_dags(site)))
    assert len(tasks) == {"beijing": 21 + 20 + 4 + 3, "nyc": 5 + 3 + 1 + 3, "us": 7 + 6 + 1 + 3}[site]
    for task in tasks:
        assert 1 <= task.retries <= 2, task
        assert task.retry_delay.total_seconds() <= 30, task
        assert task.doc_md, task
        assert task.trigger_rule == "all_success", task
        assert task.task_id.rsplit(".", 1)[-1].split("_")[0] in VERBS, task


def test_build_lake_is_linked_as_the_house_says(read_dags: ReadDags, site: str) -> None:
    dag = read_dags(site).dags["build_lake"]
    feeds, services = feeds_of(site), {name for name in DAGS[site] if name.startswith("decide_")}
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    expected: dict[str, set[str]] = {}
    for feed in feeds:
        expected[f"ingest_{feed}.write_raw"] = set()
        expected[f"ingest_{feed}.clean_rows"] = {f"ingest_{feed}.write_raw"}
    for service in services:
        expected[service] = {f"ingest_{feed}.clean_rows" for feed in WAITS_FOR[service] & feeds}
    expected["build_marts"] = services | {f"ingest_{feed}.clean_rows" for feed in feeds}
    expected["publish_release"] = {"build_marts"}
    assert found == expected


def test_build_lake_takes_a_run_id_and_nothing_else(read_dags: ReadDags) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    dag = read_dags("beijing").dags["build_lake"]
    assert dag.timetable.can_be_scheduled is False
    assert dag.is_paused_upon_creation is False
    param = dag.params.get_param("run_id")
    assert param.resolve(value="2025-09-10.3") == "2025-09-10.3"
    for wrong in ("", "today", "2025-09-10", None):
        with pytest.raises(ParamValidationError):
            param.resolve(value=wrong)


def test_the_scheduled_dags_wait_for_the_assets_that_others_update(read_dags: ReadDags, site: str) -> None:
    from airflow.sdk import AssetAll

    dags = read_dags(site).dags
    conditions = {name: getattr(dag.timetable, "asset_condition", None) for name, dag in dags.items()}
    waits = {name: condition for name, condition in conditions.items() if condition}
    assert all(isinstance(condition, AssetAll) for condition in waits.values()), "OR would run once a feed"
    found = {name: {asset.name for asset in condition.objects} for name, condition in waits.items()}
    feeds, services = feeds_of(site), {name for name in DAGS[site] if name.startswith("decide_")}
    clean = {f"clean_{feed}" for feed in feeds}
    expected = {service: {f"clean_{feed}" for feed in WAITS_FOR[service] & feeds} for service in services}
    expected["build_marts"] = clean | {f"decision_{service.removeprefix('decide_')}" for service in services}
    expected["publish_release"] = {"marts"}
    assert found == expected

    updated = {asset.name for task in all_tasks(read_dags(site)) for asset in task.outlets}
    assert set().union(*expected.values()) <= updated
    assert not any(task.outlets for task in dags["build_lake"].tasks), (
        "the command line would start the chain"
    )


def test_feeds_start_at_two_in_the_night_of_the_site_and_only_when_switched_on(read_dags: ReadDags) -> None:
    for site, zone in (("beijing", "Asia/Shanghai"), ("nyc", "America/New_York")):
        dag = read_dags(site).dags["ingest_enrollment"]
        assert dag.timetable.expression == "0 2 * * *"
        assert str(dag.timetable.timezone) == zone
        assert dag.is_paused_upon_creation is True


def test_every_task_calls_one_function_that_the_pipeline_has(read_dags: ReadDags, site: str) -> None:
    from jobs.run import tasks as work

    calls = {
        "open_run": ("open_scheduled_run", ()),
        "write_raw": ("write_raw", ("run_id", "feed")),
        "clean_rows": ("clean_rows", ("run_id", "feed")),
        "decide": ("decide", ("run_id", "service")),
        "build_marts": ("build_marts", ("run_id",)),
        "publish_release": ("publish_release", ("run_id",)),
        "check_files": ("check_files", ("run_id",)),
    }
    seen = set()
    for task in all_tasks(read_dags(site)):
        name = task.task_id.rsplit(".", 1)[-1]
        function, parameters = calls["decide" if name.startswith("decide_") else name]
        arguments = {"run_id": "2025-09-10.1"} | {k: task.op_kwargs[k] for k in parameters if k != "run_id"}
        with mock.patch("jobs.run.tasks", mock.create_autospec(work)) as double:
            task.python_callable(**{k: arguments[k] for k in task.op_kwargs})
        assert double.method_calls == [getattr(mock.call, function)(*(arguments[k] for k in parameters))]
        seen.add(function)
    assert seen == {function for function, _ in calls.values()}


def test_an_error_for_a_person_is_not_tried_again(read_dags: ReadDags) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    task = read_dags("beijing").dags["build_lake"].get_task("ingest_enrollment.write_raw")
    broken = UserError("the file is empty.", "Ask the sender for it again.")
    with (
        mock.patch("jobs.run.tasks.write_raw", side_effect=broken),
        pytest.raises(AirflowFailException, match="Ask the sender"),
    ):
        task.python_callable(run_id="2025-09-10.1", feed="enrollment")


def test_the_run_is_that_of_the_newest_asset_event(airflow_home: object) -> None:
    from dags.wiring import carried_run_id

    events = {
        "clean_enrollment": [SimpleNamespace(timestamp=1, extra={"run_id": "2025-09-09.1"})],
        "clean_campus_safety": [
            SimpleNamespace(timestamp=3, extra={"run_id": "2025-09-10.1"}),
            SimpleNamespace(timestamp=2, extra={"run_id": "2025-09-09.1"}),
        ],
    }
    assert carried_run_id({"run_id": None}, events) == "2025-09-10.1"
    assert carried_run_id({"run_id": "2025-09-01.4"}, events) == "2025-09-01.4"
    with pytest.raises(ValueError, match="run_id"):
        carried_run_id({"run_id": None}, {})


def test_a_task_writes_its_run_into_every_asset_event(airflow_home: object) -> None:
    from dags import wiring

    outlets = [wiring.cleaned("enrollment"), wiring.MARTS]
    events = {asset: SimpleNamespace(extra={}) for asset in outlets}
    task = SimpleNamespace(outlets=outlets, op_kwargs={"run_id": "2025-09-10.1"})
    wiring.carry_run_id({"task": task, "outlet_events": events})
    assert [event.extra for event in events.values()] == [{"run_id": "2025-09-10.1"}] * 2
