"""Catchments of primary and junior schools: each district cut into the points nearest to each school.

The districts' outlines are those of `infra/sites/beijing` (for analysis only, see its SOURCES). Where the
schools stand in them is made up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jobs.settings import ROOT
from synthetic.city.enrollment import habit
from synthetic.city.figures import districts
from synthetic.city.ladder import GRADES_OF
from synthetic.city.numbers import Stream, allocate, stream
from synthetic.city.part import Part
from synthetic.city.schools import year_index
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

HEADINGS = ("片区编号", "学年", "学校标识码", "学段", "区", "街道", "住户数", "中心经度", "中心纬度", "边界")
_STAGES = (("primary", "小学", "P"), ("junior", "初中", "J"))
_PEOPLE_A_HOME = 2.31  # census 2020: persons a household in Beijing
Ring = list[tuple[float, float]]


@cache
def outlines() -> dict[str, tuple[Ring, ...]]:
    """District code -> its outer rings, longitude and latitude (WGS 84), the largest first."""
    collection = json.loads((ROOT / "infra" / "sites" / "beijing" / "map.geojson").read_text("utf-8"))
    found = {}
    for feature in collection["features"]:
        shape = feature["geometry"]
        parts = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
        rings = [[(float(x), float(y)) for x, y in part[0][:-1]] for part in parts]
        found[str(feature["properties"]["adcode"])] = tuple(sorted(rings, key=lambda r: -abs(area(r))))
    return found


def area(ring: Sequence[tuple[float, float]]) -> float:
    """Signed area in square degrees."""
    turned = [*ring[1:], *ring[:1]]
    return sum(x * b - a * y for (x, y), (a, b) in zip(ring, turned, strict=True)) / 2


def inside(ring: Ring, point: tuple[float, float]) -> bool:
    """Whether the point lies inside the ring (even-odd rule)."""
    x, y = point
    odd = False
    for (ax, ay), (bx, by) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            odd = not odd
    return odd


def cells(ring: Ring, points: NDArray[np.float64]) -> list[Ring]:
    """For each point, the part of the outline nearest to it; together the parts are the outline."""
    made = []
    for n, point in enumerate(points):
        cell = ring
        nearest = np.argsort(((points - point) ** 2).sum(1), kind="stable")
        for other in nearest:
            if other != n and cell:
                middle, across = (points[other] + point) / 2, points[other] - point
                cell = _half(cell, across, float(middle @ across))
        made.append(cell)
    return made


def _half(ring: Ring, across: NDArray[np.float64], limit: float) -> Ring:
    """The part of a ring where `across` · point stays below `limit` (Sutherland and Hodgman's clipping)."""
    a, b = float(across[0]), float(across[1])
    out: Ring = []
    for (x, y), (u, v) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        here, there = a * x + b * y - limit, a * u + b * v - limit
        if here <= 0:
            out.append((x, y))
        if (here <= 0) != (there <= 0):
            share = here / (here - there)
            out.append((x + share * (u - x), y + share * (v - y)))
    return out


def write_catchments(part: Part) -> None:
    """A district's catchments of the last school year, received on 20 May before it begins."""
    if not part.is_last:
        return
    data, count = catchment_file(part, part.number)
    code, day = districts()[part.number].code, date(part.year, 5, 20)
    part.landing.put("place_demand", code, day, f"学校服务片区_{part.year}.csv", data, count)


def catchment_file(part: Part, of: int) -> tuple[bytes, int]:
    """The catchments of a district as its office writes them: the file's bytes, and how many there are."""
    district = districts()[of]
    ring = outlines()[district.code][0]
    rows: list[list[Cell]] = []
    for nth, (stage, stage_zh, letter) in enumerate(_STAGES):
        first = GRADES_OF[stage][0]
        here = [
            s
            for s in part.schools.of_district(of).tolist()
            if part.schools.pupils[s, year_index(part.year), first] > 0 and not part.schools.is_private[s]
        ]
        places = points(part.seed, ring, nth, here)
        homes = allocate(
            np.array(round(district.residents * part.scale / _PEOPLE_A_HOME)),
            part.schools.pupils[here, year_index(part.year), first].astype(float),
        )
        for number, (school, cell) in enumerate(zip(here, cells(ring, places), strict=True), 1):
            outline = ", ".join(f"{x:.5f} {y:.5f}" for x, y in [*cell, *cell[:1]])
            rows.append(
                [
                    f"{district.code}{letter}{number:03d}",
                    part.year,
                    part.schools.codes[school],
                    stage_zh,
                    district.code,
                    part.schools.areas[school],
                    int(homes[number - 1]),
                    f"{places[number - 1][0]:.5f}",
                    f"{places[number - 1][1]:.5f}",
                    f"POLYGON (({outline}))" if cell else "",
                ]
            )
    return csv_bytes(HEADINGS, rows, habit(part.seed, of).encoding), len(rows)


def points(seed: int, ring: Ring, nth: int, schools: Sequence[int]) -> NDArray[np.float64]:
    """A place inside the outline for each school, the same in every year: 0 of a primary school, 1 of a
    junior one."""
    xs, ys = zip(*ring, strict=True)
    found = []
    for school in schools:
        rng = stream(seed, Stream.PLANNING, 3, nth, school)
        while True:
            point = (float(rng.uniform(min(xs), max(xs))), float(rng.uniform(min(ys), max(ys))))
            if inside(ring, point):
                found.append(point)
                break
    return np.array(found).reshape(-1, 2)
