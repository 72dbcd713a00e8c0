"""The report page: what it shows is what the files say, and it asks nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from synthetic.city.commands import app
from synthetic.city.faults import KINDS
from synthetic.city.report import Findings, look
from synthetic.city.report_page import page

from .test_write import City


@pytest.fixture(scope="module")
def found(city: City) -> Findings:
    return look(city[0], city[0].parent / "truth")


def test_it_counts_what_was_written(city: City, found: Findings) -> None:
    assert found.summary["files"] == sum(found.datasets.values()) == city[1].files
    refused = sum(found.faults[k] for k in ("roll_double", "roll_unmapped_sex"))
    pupils = sum(found.rolls.values())
    assert abs(pupils - city[1].pupils[2025]) <= refused
    with_kindergartens = sum(n for (year, _, _), n in found.returns.items() if year == 2025)
    assert with_kindergartens == pytest.approx(city[1].children[2025], rel=0.01)
    assert {year for year, _, _ in found.returns} == set(range(2015, 2026))
    assert {k: n for k, n in found.faults.items() if n} == city[1].faults
    assert set(found.faults) == set(KINDS)
    assert found.fitness_files[0] == found.fitness_files[1] > 40
    assert found.truths["outbreaks"] == city[1].outbreaks


def test_the_page_shows_each_part_and_stands_alone(found: Findings) -> None:
    text = page(found)
    for part in ("金字塔", "各区在校生", "生育高峰", "体质健康测试分布", "注入的差错", "另存的真相"):
        assert part in text
    assert text.count("<svg") > 10
    for kind in KINDS:
        assert kind in text
    for district in ("海淀区", "朝阳区", "延庆区"):
        assert district in text
    assert not re.findall(r"(?:src|href)\s*=|@import|url\(|<script|https?://", text), "it asks for something"
    assert page(found) == text


def test_command_writes_the_page(city: City, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["report", "--out", str(city[0]), "--page", str(target)])
    assert result.exit_code == 0, result.output
    assert target.read_text(encoding="utf-8").endswith("</html>\n")


def test_without_a_city_it_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", "--out", str(tmp_path / "nothing")])
    assert result.exit_code == 2
    assert "edulake city --out" in result.output
