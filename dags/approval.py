"""The task that waits for a person where a site wants one to approve each release; no DAG of its own."""

from __future__ import annotations

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
