"""Airflow reads this file once in each of its processes.

Tasks are forks of the scheduler, so what the scheduler has imported, no task imports again: Great
Expectations and dbt alone take 6 s and 3 s, and four tasks importing them side by side took 18 s each. Only
modules are loaded here: a channel, connection or thread opened before a fork would be broken in the task.
"""

import importlib
import logging
import sys

HEAVY = (
    # what the scheduler itself does not need before the first task: 254 modules
    "airflow.sdk.execution_time.supervisor",
    "airflow.executors.local_executor",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.dagbag",
    "dags.wiring",
    # what the tasks work with
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.functions",
    "pyarrow.dataset",
    "pandas",
    "deltalake",
    "duckdb",
    "great_expectations",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "jobs.run.tasks",
)


def preload() -> None:
    """Import what tasks need. A module that cannot be imported is left to the task, which will say why."""
    for module in HEAVY:
        try:
            importlib.import_module(module)
        except Exception:
            logging.getLogger(__name__).warning("not preloaded: %s", module, exc_info=True)


if "scheduler" in sys.argv:
    preload()
