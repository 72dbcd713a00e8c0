"""What the plan, the registration of spring and the catchments must add up to."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from synthetic.city.catchments import area, cells, inside, outlines
from synthetic.city.figures import districts
from synthetic.city.ladder import P1
from synthetic.city.planning import PLAN_PLACES, PLAN_YEARS, QUALITY_PLACES, areas_of_districts, make_projects
from synthetic.city.schools import make_schools, year_index
from synthetic.city.write import write_city


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("city") / "landing"
    write_city(out, 0.004, 5, (2025, 2025), "none")
    return out


def rows(landing: Path, pattern: str, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    files = sorted(landing.glob(f"place_demand/*/*/{pattern}"))
    assert files, pattern
    return [r for f in files for r in csv.DictReader(io.StringIO(f.read_text(encoding=encoding)))]


def test_projects_of_the_plan_add_up_and_slip_as_assumed() -> None:
    areas = areas_of_districts(make_schools(1.0, 7))
    projects = make_projects(1.0, 7, areas)
    of_plan = [p for p in projects if p.opening.year <= PLAN_YEARS[1]]
    assert len(of_plan) == 150
    assert sum(p.places for p in of_plan) == PLAN_PLACES
    assert sum(p.quality_places for p in of_plan) == QUALITY_PLACES
    assert all(0 <= p.quality_places <= p.places and p.area in areas[p.district] for p in projects)
    on_time = np.mean([p.slip == 0 for p in projects])
    assert 0.6 < on_time < 0.85
    assert max(p.slip for p in projects) >= 2


def test_a_delay_is_told_when_it_shows_and_never_taken_back() -> None:
    late = [p for p in make_projects(1.0, 7, areas_of_districts(make_schools(1.0, 7))) if p.slip == 2]
    for p in late:
        year = p.opening.year
        told = [p.expected(date(y, 4, 10)).year for y in range(year - 2, year + 4)]
        assert told == [year, year, year + 1, year + 2, year + 2, year + 2]
        assert p.status(date(year, 10, 10)) in ("building", "cancelled")


def test_an_extension_names_a_school_of_its_area_and_stage(landing: Path) -> None:
    told = rows(landing, "学校建设项目_2025-10.csv", "gb18030")
    extended = [r for r in told if r["学校标识码"]]
    made = make_schools(0.004, 5)
    at = {code: n for n, code in enumerate(made.codes)}
    assert extended
    for r in extended:
        n, first = at[r["学校标识码"]], {"小学": 3, "初中": 9, "高中": 12}[r["学段"]]
        assert r["建设方式"] == "改扩建"
        assert (made.areas[n], districts()[made.district[n]].code) == (r["街道"], r["区"])
        assert made.pupils[n, year_index(2025), first] > 0


def test_registrations_fill_week_by_week_to_nearly_all_entrants(landing: Path) -> None:
    weeks = [rows(landing, f"*第{n}周.csv") for n in range(1, 6)]
    told = [r for week in weeks for r in week]
    assert len({r["身份证件号"] for r in told}) == len(told)
    assert all(len(w) > 0 for w in weeks)
    assert len(weeks[0]) > len(weeks[4])
    assert all(r["登记日期"] < r2["登记日期"] for r, r2 in zip(weeks[0], weeks[1], strict=False))
    entrants = int(make_schools(0.004, 5).pupils[:, year_index(2025), P1].sum())
    assert 0.95 * entrants < len(told) < entrants
    local = Counter(r["是否本市户籍"] for r in told)
    assert local["是"] > local["否"] > 0
    assert all((r["务工就业证明"] == "无需提供") == (r["是否本市户籍"] == "是") for r in told)
    audited = rows(landing, "*审核结果.csv")
    assert {r["身份证件号"] for r in audited} == {r["身份证件号"] for r in told if r["是否本市户籍"] == "否"}
    assert not any(r["审核状态"] == "待审核" for r in audited)


def test_catchments_cut_each_district_without_gap_or_overlap() -> None:
    rng = np.random.default_rng(1)
    for code in ("110101", "110105", "110111"):
        ring = outlines()[code][0]
        xs, ys = np.array(ring).T
        points = rng.uniform([xs.min(), ys.min()], [xs.max(), ys.max()], (200, 2))
        within = np.array([p for p in points if inside(ring, (p[0], p[1]))])
        schools, probes = within[:9], within[9:]
        parts = cells(ring, schools)
        assert sum(abs(area(c)) for c in parts) == pytest.approx(abs(area(ring)), rel=1e-6)
        for probe in probes:
            nearest = int(((schools - probe) ** 2).sum(1).argmin())
            assert [inside(c, (probe[0], probe[1])) for c in parts].index(True) == nearest


def test_every_district_has_an_outline_and_states_its_catchments(landing: Path) -> None:
    assert set(outlines()) == {d.code for d in districts()}
    assert len(list(landing.glob("place_demand/*/*/学校服务片区_2025.csv"))) == len(districts())
