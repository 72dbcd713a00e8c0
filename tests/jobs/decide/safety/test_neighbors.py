"""Neighborhoods by distance: who belongs together, and what stays as it was without coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.neighbors import distances, groups

ON = pd.Timestamp("2025-11-20")
# A degree of latitude is 111 km; of longitude at 40 degrees north 85 km.
KM = 1 / 111.2


def schools(*rows: tuple[str, float | None]) -> pd.DataFrame:
    """Schools by code, so many kilometers north of the first."""
    return pd.DataFrame(
        {
            "school_code": [code for code, _ in rows],
            "district_code": "110101",
            "area_name": "东学区",
            "longitude": [None if at is None else 116.4 for _, at in rows],
            "latitude": [None if at is None else 39.9 + at * KM for _, at in rows],
        }
    ).astype({"longitude": float, "latitude": float})


def told(*rows: tuple[str, float | None]) -> dict[Any, Any]:
    return groups(schools(*rows), ON).to_dict()


def test_distances_are_kilometers() -> None:
    found = distances(np.array([116.3975, 121.4737]), np.array([39.9087, 31.2304]))
    assert found[0, 1] == pytest.approx(1067, rel=0.01), "Beijing to Shanghai"
    assert found[0, 0] == 0


def test_schools_within_two_kilometers_of_a_middle_are_neighbors() -> None:
    found = told(("S1", 0.0), ("S2", 1.9), ("S3", 3.7), ("S4", 9.0))
    assert found == {
        "S1": "110101|周边S2",
        "S2": "110101|周边S2",
        "S3": "110101|周边S2",
    }, "S4 has no neighbors"


def test_every_school_is_in_one_neighborhood_and_within_reach_of_its_middle() -> None:
    rng = np.random.default_rng(4)
    many = schools(*((f"S{k:03d}", 0.0) for k in range(200)))
    many = many.assign(longitude=116 + rng.uniform(0, 0.3, 200), latitude=39.8 + rng.uniform(0, 0.2, 200))
    found = groups(many, ON)
    assert found.index.is_unique
    assert len(found) > 150
    at = {code: n for n, code in enumerate(many["school_code"])}
    apart = distances(many["longitude"].to_numpy(), many["latitude"].to_numpy())
    for code, neighborhood in found.items():
        assert apart[at[code], at[neighborhood.split("周边")[1]]] <= 2
    assert groups(many.sample(frac=1, random_state=1), ON).sort_index().equals(found.sort_index())


def test_a_school_without_coordinates_stays_in_its_area() -> None:
    found = told(("S1", 0.0), ("S2", None), ("S3", 1.0))
    assert found == {"S1": "110101|周边S1", "S2": "110101|东学区", "S3": "110101|周边S1"}
    assert told(("S1", None), ("S2", None)) == {"S1": "110101|东学区", "S2": "110101|东学区"}
