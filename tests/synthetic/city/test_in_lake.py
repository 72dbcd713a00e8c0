"""What the city plants for the lake to find, compared with its truth in one finished lake."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import duckdb
import pytest

from jobs.publish import release
from jobs.settings import Settings


@pytest.fixture(scope="module")
def marts(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    published = release.current(lake)
    assert published is not None
    with release.open_release(published, "full") as opened:
        yield opened


def truth(lake: Settings, name: str) -> list[dict[str, str]]:
    with (lake.landing.parent / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_only_what_the_truth_names_is_used_without_a_catalogue(
    lake: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    found = marts.execute("select resource_code from dim_digital_resource where not is_in_catalogue")
    planted = {row["resource_code"] for row in truth(lake, "unlisted_resources")}
    unlisted = {code for (code,) in found.fetchall()}
    assert unlisted
    assert unlisted <= planted
