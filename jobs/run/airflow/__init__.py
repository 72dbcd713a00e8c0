"""Airflow for one site: prepare its private home, start its processes, run `build_lake`, show how it goes.

One command-line run is one DAG run.
"""

from jobs.run.airflow.dag_run import Failure, Outcome, Task, dag_runs, run_dag, switch_on
from jobs.run.airflow.home import password, prepare
from jobs.run.airflow.processes import UI_PORT, Airflow, down, running, serve_ui, started, up

__all__ = [
    "UI_PORT",
    "Airflow",
    "Failure",
    "Outcome",
    "Task",
    "dag_runs",
    "down",
    "password",
    "prepare",
    "run_dag",
    "running",
    "serve_ui",
    "started",
    "switch_on",
    "up",
]
