"""Schools that lie near each other: neighborhoods by distance where the register has coordinates.

A rise that several neighbors share shows in their sum before it shows in one school. Neighborhoods do not
overlap, so that one rise is one alert.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.declare import standards

_EARTH_KM = 6371.0


def groups(schools: pd.DataFrame, on: pd.Timestamp) -> pd.Series:
    """School → `district|neighborhood`, or `district|area` of a school without coordinates; others left out.

    Rows in: `school_code, district_code, area_name, longitude, latitude`. The school with most neighbors
    within the distance of neighborhood.csv is the middle of the first neighborhood, and so on among those
    left over. A neighborhood bears its middle's district and number. A school without
    neighbors is left out: it is watched as a school.
    """
    place = schools.set_index("school_code").sort_index()
    area = place["district_code"] + "|" + place["area_name"].where(place["area_name"].notna())
    here = place[["longitude", "latitude"]].notna().all(axis=1)
    middle = _middles(place[here], _kilometers(on))
    near = place["district_code"].reindex(middle).to_numpy() + "|周边" + middle.astype(object)
    shared = pd.Series(near, index=place.index[here], dtype=object)
    shared = shared[shared.duplicated(keep=False)]
    return pd.concat([area[~here].dropna(), shared])


def _kilometers(on: pd.Timestamp) -> float:
    return float(standards.rows("safety/neighborhood", on)[0]["kilometers"])


def _middles(place: pd.DataFrame, kilometers: float) -> NDArray[np.object_]:
    """For each school the code of its neighborhood's middle."""
    codes = place.index.to_numpy(dtype=object)
    is_near = distances(place["longitude"].to_numpy(float), place["latitude"].to_numpy(float)) <= kilometers
    left, count = np.ones(len(codes), dtype=bool), is_near.sum(axis=1)
    middle = np.empty(len(codes), dtype=object)
    while left.any():
        best = int(np.where(left, count, -1).argmax())  # of equals the least code
        members = is_near[best] & left
        middle[members] = codes[best]
        count -= is_near[:, members].sum(axis=1)
        left &= ~members
    return middle


def distances(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kilometers between all pairs, on the sphere."""
    x, y = np.radians(longitude), np.radians(latitude)
    half = (
        np.sin((y[:, None] - y) / 2) ** 2 + np.cos(y)[:, None] * np.cos(y) * np.sin((x[:, None] - x) / 2) ** 2
    )
    found: NDArray[np.float64] = 2 * _EARTH_KM * np.arcsin(np.sqrt(half))
    return found
