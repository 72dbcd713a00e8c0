"""One DAG run through Airflow's REST API: start it, follow it, report how it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jobs import faults
from jobs.run.airflow.home import USER, password
from jobs.run.airflow.processes import Airflow, broke, last_lines
from jobs.settings import Settings, UserError

DAG_ID = "build_lake"

# Seconds: ends a wait for something that will never come.
PARSE_LIMIT = 90.0
ANSWER_LIMIT = 180.0
# Without a new heartbeat: the scheduler hangs, or cannot write to its database. It beats every five seconds.
HEARTBEAT_LIMIT = 300.0
POLL = 0.5
ATTEMPTS = 10
MOST_REPETITIONS = 100
# Polls from one look at the scheduler to the next.
LOOK_EACH = 10

Progress = Callable[[Sequence["Task"]], None]


@dataclass(frozen=True)
class Task:
    """One task of a DAG run as it stands: `state` is null until it is scheduled, `seconds` until it runs."""

    task_id: str
    state: str | None
    seconds: float | None
    try_number: int

    @property
    def group(self) -> str:
        """`ingest_enrollment` for `ingest_enrollment.write_raw`; a task without a group is its own."""
        return self.task_id.split(".", 1)[0]

    @property
    def name(self) -> str:
        """The task's verb and object, without its group."""
        return self.task_id.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Failure:
    """The first task that failed, its last message, and its log."""

    task_id: str
    message: str
    log: Path | None


@dataclass(frozen=True)
class Outcome:
    """How a DAG run ended. `failure` is null when it succeeded."""

    run_id: str
    dag_run_id: str
    state: str
    seconds: float
    tasks: tuple[Task, ...]
    failure: Failure | None


def run_dag(
    settings: Settings, airflow: Airflow, run_id: str, on_progress: Progress | None = None
) -> Outcome:
    """Run `build_lake` once with this `run_id`; calls `on_progress` twice a second. Returns the outcome.

    A failed run is an Outcome, not an error. Raises UserError when the DAG cannot be read, another run is
    under way, Airflow's processes end or hang, or the disk gets full. Interrupted: the DAG run is failed, so
    that the next can start.
    """
    with _Api(settings, airflow) as api:
        api.switch_on(DAG_ID)
        dag_run_id = api.trigger(run_id)
        began = time.monotonic()
        try:
            state, tasks = _follow(api, dag_run_id, on_progress)
        except BaseException:
            # Ours ends with this command, and its next start fails what it left: that is quicker.
            if not airflow.is_ours:
                with suppress(Exception):
                    api.fail(dag_run_id)
            raise
    return Outcome(
        run_id=run_id,
        dag_run_id=dag_run_id,
        state=state,
        seconds=time.monotonic() - began,
        tasks=tuple(tasks),
        failure=None if state == "success" else _failure(settings, dag_run_id, tasks),
    )


def switch_on(settings: Settings, airflow: Airflow, dag_id: str) -> None:
    """Unpause a DAG once it has been read. A feed's DAG then starts the last slot of its schedule at once.

    Raises UserError when no such DAG can be read.
    """
    with _Api(settings, airflow) as api:
        api.switch_on(dag_id)


def dag_runs(settings: Settings, airflow: Airflow) -> list[tuple[str, str]]:
    """The newest hundred DAG runs of the site, as DAG and state."""
    with _Api(settings, airflow) as api:
        # Not the asset events: asking for them while a run that they made is queued answers 500 in 3.3.2.
        found = api.call("GET", "/dags/~/dagRuns", params={"limit": 100, "order_by": "-run_after"})
    return [(run["dag_id"], run["state"]) for run in found["dag_runs"]]


def _follow(api: _Api, dag_run_id: str, on_progress: Progress | None) -> tuple[str, list[Task]]:
    order: dict[str, int] = {}
    watch = _Watch(api)
    while True:
        watch.look()
        state = api.state(dag_run_id)
        tasks = api.tasks(dag_run_id)
        # A repeated task gets a new id and would move to the end of the list.
        for task in tasks:
            order.setdefault(task.task_id, len(order))
        tasks.sort(key=lambda task: order[task.task_id])
        if on_progress:
            on_progress(tasks)
        if state in ("success", "failed"):
            return state, tasks
        time.sleep(POLL)


class _Watch:
    """Ends the wait for a run that cannot end by itself.

    On a full disk a task's end cannot be noted, and the run's state stays as it is for ever; so it does where
    the scheduler hangs, or another program keeps Airflow's database from it. Reading goes on all the while.
    """

    def __init__(self, api: _Api) -> None:
        self._api = api
        self._looks = 0
        self._beat: str | None = None
        self._since = time.monotonic()

    def look(self) -> None:
        """Raise UserError when there is nothing to wait for."""
        faults.watch_disk(self._api.settings)
        self._looks += 1
        if self._looks % LOOK_EACH:
            return
        beat = self._api.heartbeat()
        if beat != self._beat:
            self._beat, self._since = beat, time.monotonic()
        elif time.monotonic() - self._since > HEARTBEAT_LIMIT:
            raise UserError(
                f"Airflow's scheduler has done nothing for {HEARTBEAT_LIMIT:.0f} s: it hangs, or cannot "
                f"write to its database in {self._api.settings.airflow}.",
                f"Its log is {self._api.settings.logs}/airflow-scheduler.log. End what holds the database, "
                "and run again: finished work is kept.",
            )


class _Api:
    """Airflow's REST API as the user `admin`, over one kept connection."""

    def __init__(self, settings: Settings, airflow: Airflow) -> None:
        # Here and not above: half a second that commands without Airflow need not spend.
        import httpx

        self.settings = settings
        self.airflow = airflow
        # trust_env: a proxy in the environment must not be asked for loopback.
        self.http = httpx.Client(base_url=airflow.url, timeout=60, trust_env=False)
        self.errors = httpx.HTTPError

    def __enter__(self) -> _Api:
        try:
            answer = self._answer(
                "POST", "/auth/token", json={"username": USER, "password": password(self.settings)}
            )
            self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        except BaseException:
            self.http.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON of the answer. None for 404 (absent) and 409 (exists already)."""
        answer = self._answer(method, f"/api/v2{path}", absent=(404, 409), **arguments)
        return answer.json() if answer.is_success else None

    def _answer(self, method: str, path: str, absent: Sequence[int] = (), **arguments: Any) -> Any:
        """A response that is good, or has one of the codes `absent`.

        Repeats the call while Airflow lives: one lost answer on a busy machine must not end a run of minutes.
        Raises UserError when Airflow is gone or refuses, or the disk is full.
        """
        detail = ""
        deadline = time.monotonic() + ANSWER_LIMIT
        for attempt in range(ATTEMPTS):
            if attempt:
                faults.watch_disk(self.settings)
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL)
            try:
                answer = self.http.request(method, path, **arguments)
            except self.errors as error:
                detail = str(error)
                if not psutil.pid_exists(self.airflow.launcher):
                    break
                continue
            if answer.is_success or answer.status_code in absent:
                return answer
            detail = f"{answer.status_code} {answer.text[:300]}"
            if answer.is_client_error:
                break
        raise broke(self.settings, "Airflow does not answer", f"{method} {path}: {detail}")

    def switch_on(self, dag_id: str) -> None:
        """Wait until a DAG was read by this start of Airflow, and unpause it."""
        deadline = time.monotonic() + PARSE_LIMIT
        started = psutil.Process(self.airflow.launcher).create_time()
        while time.monotonic() < deadline:
            faults.watch_disk(self.settings)
            dag = self.call("GET", f"/dags/{dag_id}")
            if dag and _epoch(dag["last_parsed_time"]) >= started and not dag["has_import_errors"]:
                if dag["is_paused"]:
                    self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                return
            self._raise_import_error(started)
            time.sleep(0.2)
        raise UserError(
            f"Airflow has not read the DAG {dag_id} within {PARSE_LIMIT:.0f} s.",
            f"See {self.settings.logs}/airflow-dag-processor.log.",
        )

    def _raise_import_error(self, since: float) -> None:
        found = self.call("GET", "/importErrors") or {}
        for error in found.get("import_errors", []):
            # One of an earlier start may have been put right since.
            if _epoch(error["timestamp"]) >= since:
                raise UserError(
                    f"Airflow cannot read dags/{Path(error['filename']).name}: "
                    f"{error['stack_trace'].strip().splitlines()[-1]}",
                    "Put that right and run the command again.",
                )

    def trigger(self, run_id: str) -> str:
        """Start the DAG run, named after `run_id`; a repetition of the same run gets a number behind it."""
        found = self.call("GET", f"/dags/{DAG_ID}/dagRuns", params={"state": ["queued", "running"]})
        if found["dag_runs"]:
            raise UserError(
                f"run {found['dag_runs'][0]['dag_run_id']} is under way in this site's Airflow "
                f"({self.airflow.url}).",
                "Wait for its end, or stop the command that started it.",
            )
        for repetition in range(1, MOST_REPETITIONS + 1):
            name = run_id if repetition == 1 else f"{run_id}~{repetition}"
            body = {"dag_run_id": name, "logical_date": None, "conf": {"run_id": run_id}}
            made = self.call("POST", f"/dags/{DAG_ID}/dagRuns", json=body)
            # Refused, as the name is known: by an earlier run, or by this one when the first answer was lost.
            if made or self.state(name) in ("queued", "running"):
                return name
        raise UserError(
            f"Airflow takes no run {run_id} of {DAG_ID}.",
            f"See {self.settings.logs}/airflow-dag-processor.log, and run again.",
        )

    def state(self, dag_run_id: str) -> str:
        """The state of a DAG run: queued, running, success or failed."""
        run = self.call("GET", f"/dags/{DAG_ID}/dagRuns/{dag_run_id}")
        return str(run["state"]) if run else "failed"

    def tasks(self, dag_run_id: str) -> list[Task]:
        """All tasks of a DAG run, in the order in which they were made: that of the DAG."""
        found = self.call(
            "GET",
            f"/dags/{DAG_ID}/dagRuns/{dag_run_id}/taskInstances",
            params={"limit": 100, "order_by": "id"},
        )
        now = time.time()
        return [
            Task(
                task_id=task["task_id"],
                state=task["state"],
                seconds=_seconds(task, now),
                try_number=task["try_number"],
            )
            for task in (found or {"task_instances": []})["task_instances"]
        ]

    def heartbeat(self) -> str | None:
        """When the scheduler last wrote to its database that it lives."""
        health = self.call("GET", "/monitor/health") or {}
        beat: str | None = health.get("scheduler", {}).get("latest_scheduler_heartbeat")
        return beat

    def fail(self, dag_run_id: str) -> None:
        """Fail a DAG run; Airflow then ends its running tasks."""
        self.call("PATCH", f"/dags/{DAG_ID}/dagRuns/{dag_run_id}", json={"state": "failed"})


def _seconds(task: Mapping[str, Any], now: float) -> float | None:
    if task["duration"] is not None:
        return float(task["duration"])
    if task["start_date"] is None or task["state"] != "running":
        return None
    return max(0.0, now - _epoch(task["start_date"]))


def _epoch(instant: str | None) -> float:
    from datetime import datetime

    return datetime.fromisoformat(instant).timestamp() if instant else 0.0


def _failure(settings: Settings, dag_run_id: str, tasks: Sequence[Task]) -> Failure:
    failed = [task for task in tasks if task.state == "failed"]
    if not failed:
        return Failure(task_id=DAG_ID, message="the DAG run was stopped from outside", log=None)
    task = failed[0]
    folder = (
        settings.logs / "airflow" / f"dag_id={DAG_ID}" / f"run_id={dag_run_id}" / f"task_id={task.task_id}"
    )
    log = folder / f"attempt={task.try_number}.log"
    if not log.is_file():
        return Failure(task_id=task.task_id, message="it left no log", log=None)
    return Failure(task_id=task.task_id, message=_last_error(log), log=log)


def _last_error(log: Path) -> str:
    """The last error of a task's log (JSON lines): the root exception's text, else the last lines."""
    message = ""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            entry = json.loads(line)
            # What a library writes to stderr is kept as an error too, warnings of Spark's client among it.
            is_error = isinstance(entry, dict) and entry.get("level") in ("error", "critical")
            if is_error and entry.get("logger") != "task.stderr":
                causes = entry.get("error_detail") or []
                said = [f"{cause['exc_type']}: {cause['exc_value']}" for cause in causes]
                # A UserError is wrapped on its way; its own text is for people, the wrapper's name is not.
                own = [cause["exc_value"] for cause in causes if cause["exc_type"] == "UserError"]
                message = (own or said or [str(entry.get("event", ""))])[0]
    return message or "\n".join(last_lines(log, 5))
