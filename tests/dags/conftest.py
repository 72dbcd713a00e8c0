"""Airflow for the tests of `dags/`: a home of its own, set before Airflow is first imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.settings import ROOT

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An Airflow home without a database: reading DAGs needs none."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        yield home


@pytest.fixture(scope="session")
def read_dags(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DagBag]:
    """`read_dags("nyc")`: everything in `dags/`, read as the DAG processor of that site reads it."""
    bags: dict[str, DagBag] = {}

    def read(site: str) -> DagBag:
        from airflow.dag_processing.dagbag import DagBag

        if site not in bags:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDULAKE_HOME", str(tmp_path_factory.mktemp("home")))
                patch.setenv("EDULAKE_SITE", site)
                bags[site] = DagBag(ROOT / "dags")
        return bags[site]

    return read
