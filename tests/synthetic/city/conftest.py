"""Two small cities written once for all tests: with the standard faults, and without any."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic.city.write import CitySummary, write_city

SCALE, SEED = 0.002, 7


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CitySummary]:
    home = tmp_path_factory.mktemp("city")
    return home / "landing", write_city(home / "landing", SCALE, SEED)


@pytest.fixture(scope="session")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CitySummary]:
    home = tmp_path_factory.mktemp("faultless")
    return home / "landing", write_city(home / "landing", SCALE, SEED, faults="none")
