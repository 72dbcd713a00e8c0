"""Airflow's private home, its processes, and a DAG run: started, joined, killed and recovered."""

from __future__ import annotations

import configparser
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jobs import faults
from jobs import settings as site_settings
from jobs.run import airflow as orchestrate
from jobs.run.airflow import dag_run, home, processes
from jobs.settings import Settings, UserError

UNKNOWN_RUN = "2019-06-30.1"
# A command that is killed in the middle of its DAG run.
COMMAND = """
import sys, time
from jobs import settings
from jobs.run import airflow as orchestrate
site = settings.load("us", home=sys.argv[1])
airflow = orchestrate.up(site)
orchestrate.run_dag(site, airflow, sys.argv[2], on_progress=lambda tasks: print("under way", flush=True))
time.sleep(600)
"""
JOIN = """
import sys
from jobs import settings
from jobs.run import airflow as orchestrate
site = settings.load("us", home=sys.argv[1])
airflow = orchestrate.up(site)
orchestrate.down(site, airflow)
orchestrate.down(site)
print(airflow.url, airflow.is_ours)
"""


# --- without Airflow ----------------------------------------------------------------------------------------


def test_home_and_secrets_are_the_owners_alone_and_made_once(settings: Settings) -> None:
    orchestrate.prepare(settings)
    files = sorted(path for path in settings.secrets.iterdir() if path.name.startswith("airflow_"))
    before = {path.name: path.read_text() for path in files}
    assert set(before) == {
        "airflow_api_secret",
        "airflow_fernet_key",
        "airflow_jwt_secret",
        "airflow_passwords.json",
    }
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600, path
    for folder in (settings.airflow, settings.secrets):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    orchestrate.prepare(settings)
    assert {path.name: path.read_text() for path in files} == before
    assert orchestrate.password(settings) == json.loads(before["airflow_passwords.json"])["admin"]


def test_config_is_private_and_listens_on_loopback(settings: Settings) -> None:
    orchestrate.prepare(settings)
    home.write_config(settings, 12345)
    path = settings.airflow / "airflow.cfg"
    assert path.stat().st_mode & 0o777 == 0o600
    config = configparser.RawConfigParser()
    config.read(path)
    assert config["api"]["host"] == "127.0.0.1"
    assert config["core"]["execution_api_server_url"] == "http://127.0.0.1:12345/execution/"
    assert config["core"]["executor"] == "LocalExecutor"
    assert config["core"]["load_examples"] == "False"
    assert config["workers"]["min_heartbeat_interval"] == "1"


def test_tasks_see_the_site_and_neither_a_proxy_nor_another_airflow(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/somewhere/else")
    monkeypatch.setenv("NO_PROXY", "intranet")
    found = home.environment(settings)
    assert found["AIRFLOW_HOME"] == str(settings.airflow)
    assert not [name for name in found if name.startswith("AIRFLOW__")]
    assert found["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert (found["EDULAKE_HOME"], found["EDULAKE_SITE"]) == (str(settings.home.parent), "beijing")


def test_an_occupied_port_is_named_with_the_way_out(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken") as refused:
            orchestrate.serve_ui(settings, port, say=lambda _: None)
    assert "--port" in refused.value.way_out
    assert not (settings.run / "airflow.json").exists(), "something was started"


def test_the_port_chosen_for_airflow_is_kept_for_it() -> None:
    with processes._reserved(None) as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        # As a server binds: by name, and to be used again.
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_what_broke_airflow_is_told(settings: Settings) -> None:
    told = processes.broke(settings, because="POST /auth/token: 500").message
    assert told == "Airflow did not start: POST /auth/token: 500."
    settings.logs.mkdir(parents=True, exist_ok=True)
    (settings.logs / "airflow-launcher.log").write_text("api-server ended by itself\n")
    assert processes.broke(settings).message == "Airflow did not start: api-server ended by itself."
    (settings.logs / "airflow-api-server.log").write_text("ERROR: [Errno 98] address in use\n" + "bye\n" * 9)
    assert "api-server said: ERROR: [Errno 98] address in use" in processes.broke(settings).message


def test_postgres_without_its_drivers_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_AIRFLOW_DB", "postgresql://edulake@localhost/airflow")
    monkeypatch.setattr(home, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="psycopg and asyncpg") as refused:
        orchestrate.up(settings)
    assert "pip install" in refused.value.way_out


def note(settings: Settings, **processes: dict[str, float]) -> None:
    settings.run.mkdir(parents=True, exist_ok=True)
    (settings.run / "airflow.json").write_text(json.dumps({"port": 1, "processes": processes}))


def test_leftovers_of_a_killed_command_are_ended_and_a_strangers_process_is_not(settings: Settings) -> None:
    left, stranger = (subprocess.Popen(["sleep", "300"], start_new_session=True) for _ in range(2))
    try:
        started = {process.pid: psutil.Process(process.pid).create_time() for process in (left, stranger)}
        note(
            settings,
            owner={"pid": 2**22 + 1, "started": 0.0},
            launcher={"pid": left.pid, "started": started[left.pid]},
            # The id is used again by another process since the note was written.
            scheduler={"pid": stranger.pid, "started": started[stranger.pid] - 100},
        )
        assert orchestrate.running(settings) is None
        orchestrate.down(settings)
        assert not is_alive(left.pid)
        assert is_alive(stranger.pid)
        assert not (settings.run / "airflow.json").exists()
        orchestrate.down(settings)
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_the_last_error_of_a_log_is_the_one_for_people(tmp_path: Path) -> None:
    log = tmp_path / "attempt=1.log"
    lines: list[object] = [
        {"level": "error", "event": "an earlier one"},
        {"level": "info", "event": "going on"},
        {
            "level": "error",
            "event": "Task failed without retry",
            "error_detail": [
                {"exc_type": "AirflowFailException", "exc_value": "wrapped"},
                {"exc_type": "UserError", "exc_value": "the file is empty.\nAsk for it again."},
            ],
        },
    ]
    lines.append({"level": "error", "event": "ReleaseExecute failed", "logger": "task.stderr"})
    log.write_text("\n".join(json.dumps(line) for line in lines) + "\nnot json\n")
    assert dag_run._last_error(log) == "the file is empty.\nAsk for it again."
    log.write_text("Killed\n")
    assert dag_run._last_error(log) == "Killed"


# --- with Airflow -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return site_settings.load("us", home=tmp_path_factory.mktemp("airflow_runs")).prepare()


@pytest.fixture(scope="module")
def killed(site: Settings) -> list[int]:
    """A command was killed while its DAG run was under way; the processes that it had started."""
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(site.home.parent), UNKNOWN_RUN], stdout=subprocess.PIPE, text=True
    )
    try:
        assert command.stdout is not None
        assert command.stdout.readline() == "under way\n"
        return [process.pid for process in psutil.Process(command.pid).children(recursive=True)]
    finally:
        command.kill()
        command.wait()


@pytest.fixture(scope="module")
def airflow(site: Settings, killed: list[int]) -> Iterator[orchestrate.Airflow]:
    with orchestrate.started(site) as running:
        yield running
    assert not (site.run / "airflow.json").exists()


def test_a_killed_command_leaves_no_process(killed: list[int]) -> None:
    assert len(killed) >= 4, "the launcher, the three components, and workers"
    assert until(lambda: not [pid for pid in killed if is_alive(pid)]), "still there: " + str(
        [psutil.Process(pid).cmdline() for pid in killed if is_alive(pid)]
    )


def test_the_run_of_a_killed_command_is_failed_before_the_next(
    site: Settings, airflow: orchestrate.Airflow
) -> None:
    assert orchestrate.dag_runs(site, airflow) == [("build_lake", "failed")]


def test_a_failed_run_names_its_task_its_cause_and_its_log(
    site: Settings, airflow: orchestrate.Airflow
) -> None:
    seen: list[list[str | None]] = []
    outcome = orchestrate.run_dag(
        site, airflow, UNKNOWN_RUN, lambda tasks: seen.append([task.state for task in tasks])
    )
    assert outcome.state == "failed"
    assert outcome.dag_run_id == f"{UNKNOWN_RUN}~2", "the killed one has the plain name"
    assert outcome.failure is not None
    assert outcome.failure.task_id.endswith(".write_raw")
    assert "there is no run '2019-06-30.1'" in outcome.failure.message
    assert "edulake status" in outcome.failure.message, "the way out is missing"
    assert outcome.failure.log is not None
    assert outcome.failure.log.is_file()
    states = {task.task_id: task.state for task in outcome.tasks}
    assert len(states) == 7
    assert states["publish_release"] == "upstream_failed"
    assert max(task.try_number for task in outcome.tasks) == 1, "an error for a person was tried again"
    assert seen[-1] == [task.state for task in outcome.tasks]


def test_a_run_that_cannot_end_is_not_waited_for(
    site: Settings, airflow: orchestrate.Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that hangs ends nothing, and all the while the API answers: the run is under way."""
    monkeypatch.setattr(dag_run, "HEARTBEAT_LIMIT", 3.0)
    monkeypatch.setattr(dag_run, "LOOK_EACH", 1)
    note = json.loads((site.run / "airflow.json").read_text())
    scheduler = psutil.Process(note["processes"]["scheduler"]["pid"])
    seen: list[list[str | None]] = []
    scheduler.suspend()
    try:
        with pytest.raises(UserError, match="scheduler has done nothing") as told:
            orchestrate.run_dag(
                site, airflow, UNKNOWN_RUN, lambda tasks: seen.append([task.state for task in tasks])
            )
    finally:
        scheduler.resume()
    assert "airflow-scheduler.log" in told.value.way_out
    assert seen, "the API had answered"


def test_a_full_disk_ends_the_wait_at_once(
    site: Settings, airflow: orchestrate.Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Airflow could still write: nothing is waited for on a disk with less left than the reserve."""
    assert until(lambda: {state for _, state in orchestrate.dag_runs(site, airflow)} == {"failed"})
    monkeypatch.setattr(faults, "RESERVE_BYTES", 2**60)
    with pytest.raises(UserError, match=f"the disk of {site.home} is full") as told:
        orchestrate.run_dag(site, airflow, UNKNOWN_RUN)
    assert "run again" in told.value.way_out


def test_a_second_command_joins_and_leaves_it_running(site: Settings, airflow: orchestrate.Airflow) -> None:
    joined = subprocess.run(
        [sys.executable, "-c", JOIN, str(site.home.parent)], capture_output=True, text=True, check=True
    )
    assert joined.stdout.split() == [airflow.url, "False"]
    assert orchestrate.running(site) is not None


def test_nothing_listens_beyond_loopback(airflow: orchestrate.Airflow) -> None:
    launcher = psutil.Process(airflow.launcher)
    tree = [launcher, *launcher.children(recursive=True)]
    assert len(tree) >= 4
    listening = {
        connection.laddr
        for process in tree
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert ("127.0.0.1", airflow.port) in listening
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_no_password_no_answer(site: Settings, airflow: orchestrate.Airflow) -> None:
    import httpx

    with httpx.Client(base_url=airflow.url, trust_env=False) as http:
        assert http.get("/api/v2/dags").status_code == 401
        assert http.get("/auth/token").status_code == 403
        wrong = {"username": "admin", "password": "admin"}
        assert http.post("/auth/token", json=wrong).status_code == 401


def test_a_killed_launcher_leaves_no_process(airflow: orchestrate.Airflow) -> None:
    """Nobody is left who could end them one by one: the kernel does."""
    launcher = psutil.Process(airflow.launcher)
    family = launcher.children(recursive=True)
    assert len(family) > 3, "three components, and at least one worker below them"
    launcher.kill()
    assert psutil.wait_procs(family, 30)[1] == []


def until(holds: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return held


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
