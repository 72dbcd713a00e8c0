"""What all services share: the lake as a run knows it, and appending decisions once with run and vintage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from jobs import declare
from jobs.lake import tables, window
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings
from jobs.sql import literals

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_MEMORY = "1GB"
# Opens a session of Spark; a job calls it when it needs one.
Spark = Callable[[], "SparkSession"]


def known_to(
    settings: Settings, run: Run, datasets: Sequence[str], spark: Spark | None = None
) -> AbstractContextManager[Window]:
    """The window on some datasets at the run's dates."""
    return window.opened(settings, run.as_of_date, run.known_at, datasets, spark)


@contextmanager
def known_on_disk(settings: Settings, run: Run, datasets: Sequence[str]) -> Iterator[tuple[Window, Path]]:
    """The same by DuckDB whatever the size, held to `_MEMORY`, and a folder of the restricted zone that goes
    afterwards: what outgrows the memory lies there.
    """
    with (
        tempfile.TemporaryDirectory(dir=settings.restricted, prefix="deciding-") as folder,
        known_to(settings, run, datasets) as lake,
    ):
        assert lake.connection is not None
        for name, value in (("memory_limit", _MEMORY), ("temp_directory", f"{folder}/spilled")):
            lake.connection.execute(f"set {name} = {literals(value)}")
        yield lake, Path(folder)


def append_frame(settings: Settings, run: Run, table: str, rows: pd.DataFrame) -> None:
    """Append decisions of this run, once: `run_id` and `recorded_at` are put in front.

    Without the engine, for what is a frame already: a job of Spark for a few rows takes seconds.
    """
    if rows.empty:
        return
    rows = rows.assign(run_id=run.run_id, recorded_at=run.known_at)
    schema = declare.arrow_schema(declare.table_columns(table))
    arrow = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    tables.append_rows(settings, table, arrow, run.run_id, run.run_id)
