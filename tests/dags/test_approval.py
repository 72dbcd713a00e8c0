"""Where a site wants a person, the scheduled release waits for an answer in Airflow's page."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import yaml

from jobs.lake import deliveries, runs
from jobs.publish import drafts, journal, release
from jobs.run import airflow as orchestrate
from jobs.run.airflow.dag_run import _Api
from jobs.settings import SITES, Settings

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

LIMIT = 420.0


@pytest.fixture
def careful_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The site `us`, where a person approves each release."""
    said = yaml.safe_load((SITES / "us.yaml").read_text("utf-8"))
    for given in said["real_input"]:
        given["file"] = str((SITES / given["file"]).resolve())
    said |= {"senders": str(SITES / said["senders"]), "release": {"approval": "person"}}
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "careful.yaml").write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    monkeypatch.setenv("EDULAKE_SITES", str(tmp_path / "sites"))
    return "careful"


@pytest.fixture
def dag(careful_site: str, read_dags: Callable[[str], DagBag]) -> Any:
    bag = read_dags(careful_site)
    assert bag.import_errors == {}
    return bag.dags["publish_release"]


def test_the_release_waits_between_draft_and_publication(dag: Any) -> None:
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    assert found == {
        "publish_release": set(),
        "approve_release": {"publish_release"},
        "publish_approved": {"approve_release"},
        "check_files": {"publish_approved"},
    }
    assert [task.task_id for task in dag.tasks if task.outlets] == ["publish_approved"], (
        "a draft is no release: whoever waits for one must not start"
    )
    assert dag.get_task("check_files").trigger_rule == "none_failed"
    assert all(task.doc_md for task in dag.tasks)


def test_it_asks_with_the_checklist_and_only_where_a_draft_waits(dag: Any) -> None:
    from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

    task = dag.get_task("approve_release")
    told = {"release": 3, "waiting": 1, "checklist": "- **amber** late senders: 2"}
    context = {"ti": SimpleNamespace(xcom_pull=lambda task_ids: told), "task": task}
    context["task_instance"] = SimpleNamespace(id="0")
    task.render_template_fields(context)
    assert task.subject.startswith("版本 3 等待审批")
    assert task.body == told["checklist"]
    with (
        mock.patch("airflow.providers.standard.operators.hitl.upsert_hitl_detail") as asked,
        pytest.raises(TaskAwaitingInput),
    ):
        task.execute(context)
    assert asked.call_args.kwargs["options"] == ["Approve", "Reject"]
    told = {"release": 3, "unchanged": 1}
    with pytest.raises(AirflowSkipException):
        task.execute(context)


def test_who_approved_and_why_is_handed_on(dag: Any) -> None:
    from jobs.run import tasks

    call = dag.get_task("publish_approved").python_callable
    said = {"responded_by_user": {"id": "7", "name": "王芳"}, "params_input": {"note": "已核对"}}
    with mock.patch("jobs.run.tasks.publish_approved", autospec=tasks.publish_approved) as publish:
        call(run_id="2025-09-10.1", said=said)
        call(run_id="2025-09-10.1", said={"responded_by_user": None, "params_input": {}})
    assert [one.args for one in publish.call_args_list] == [
        ("2025-09-10.1", "王芳", "已核对"),
        ("2025-09-10.1", "Airflow", ""),
    ]


def test_a_rejection_is_noted_with_the_draft(dag: Any) -> None:
    from jobs.run import tasks

    task = dag.get_task("approve_release")
    ti = mock.Mock(xcom_pull=lambda task_ids: {"release": 3, "waiting": 1})
    event = {
        "chosen_options": ["Reject"],
        "params_input": {"note": "海淀区少一所学校"},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "李明"},
    }
    with (
        mock.patch("jobs.run.tasks.reject_draft", autospec=tasks.reject_draft) as rejected,
        mock.patch.object(type(task), "skip") as skipped,
    ):
        task.execute_complete({"ti": ti, "task": task}, event)
    assert rejected.call_args.args == (3, "李明", "海淀区少一所学校")
    assert skipped.called


@pytest.mark.slow
def test_a_person_answers_in_airflow_and_the_release_is_out(
    careful_site: str, make_settings: Callable[..., Settings], engine_url: str
) -> None:
    settings = make_settings(careful_site)
    for given in settings.real_input:
        deliveries.land(settings, given.file, given.feed, given.sender, given.received)
    chain = ("ingest_enrollment", "ingest_place_demand", "decide_places", "build_marts", "publish_release")
    with orchestrate.started(settings) as airflow:
        for name in reversed(chain):
            orchestrate.switch_on(settings, airflow, name)
        with _Api(settings, airflow) as api:
            waiting = _until(lambda: _waiting(api))
            draft = drafts.waiting(settings)
            assert (draft is not None, release.current(settings)) == (True, None)
            run, task = waiting["dag_run_id"], waiting["task_id"]
            path = f"/dags/publish_release/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
            answer = {"chosen_options": ["Approve"], "params_input": {"note": "已核对"}}
            assert api.call("PATCH", path, json=answer) is not None
            _until(lambda: release.current(settings))
            _until(lambda: ("publish_release", "success") in orchestrate.dag_runs(settings, airflow))
    approved = journal.last(settings.releases, 1, journal.APPROVED)
    assert approved is not None
    assert (approved.by, approved.note) == ("admin", "已核对")
    assert [run.state for run in runs.all_runs(settings)] == [runs.PUBLISHED]


def _waiting(api: _Api) -> dict[str, Any] | None:
    found = api.call("GET", "/dags/publish_release/dagRuns/~/taskInstances", params={"limit": 50})
    listed = (found or {"task_instances": []})["task_instances"]
    return next((one for one in listed if one["state"] == "awaiting_input"), None)


def _until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(1)
    raise AssertionError(f"not so after {LIMIT:.0f} s")
