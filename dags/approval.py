"""The task that waits for a person where a site wants one to approve each release; no DAG of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

NOTE = {"note": Param("", type="string", title="说明 note")}
DRAFTS = "publish_release"
# Before the next night's run: who does not answer by then is called, and the draft waits on.
PATIENCE = timedelta(hours=20)


class ApproveRelease(ApprovalOperator):
    """Ask a person to approve the draft that `publish_release` made; skipped where it made none.

    The answer is given in Airflow's page (Required Actions). Its checklist is the body.
    """

    def __init__(self, **given: Any) -> None:
        told = f"ti.xcom_pull(task_ids='{DRAFTS}')"
        super().__init__(
            subject=f"版本 {{{{ {told}['release'] }}}} 等待审批 release waits for approval",
            body=f"{{{{ {told}.get('checklist', '') }}}}",
            response_timeout=PATIENCE,
            **given,
        )

    def execute(self, context: Context) -> Any:
        """Wait for the answer, unless nothing waits for one."""
        if not context["ti"].xcom_pull(task_ids=DRAFTS).get("waiting"):
            raise AirflowSkipException("no draft waits")
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer; what was rejected is noted with the draft, and the rest is skipped."""
        answer = super().execute_complete(context, event)
        if answer["chosen_options"] == [self.REJECT]:
            from jobs.run import tasks

            number = context["ti"].xcom_pull(task_ids=DRAFTS)["release"]
            tasks.reject_draft(number, *told_by(answer))
        return answer


def told_by(answer: Mapping[str, Any]) -> tuple[str, str]:
    """Who answered, and the note."""
    user = answer.get("responded_by_user") or {}
    note = (answer.get("params_input") or {}).get("note")
    return str(user.get("name") or user.get("id") or "Airflow"), str(note or "")
